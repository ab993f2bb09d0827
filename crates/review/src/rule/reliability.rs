//! REL: when things fail.

use super::table;

mod impossible_promise;
mod job_overruns;
mod no_breaker;
mod no_undo;
mod retry_storm;
mod single_point;
mod time_budget;
mod unbounded_command;
mod unsafe_retry;

table! { "reliability"
    "REL002" no_undo Warn "a step that nothing takes back";
    "REL004" unsafe_retry Warn "a call that may happen twice";
    "REL005" retry_storm Warn "retries that multiply";
    "REL006" time_budget Warn "less time than is waited for";
    "REL007" impossible_promise Warn "a promise that one process cannot keep";
    "REL008" no_breaker Warn "a partner that everybody waits for";
    "REL010" unbounded_command Warn "any number of rows in one transaction";
    "REL011" job_overruns Warn "a job that never catches up";
    "REL012" single_point Warn "a database that nothing stands in for";
}
