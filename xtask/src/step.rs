//! One step of a chore: a program, quiet unless it fails.

use std::fs;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::fault::Fault;

/// No step takes longer than this; one that does hangs.
const LIMIT: Duration = Duration::from_secs(40 * 60);

/// Steps that began: steps run side by side.
static STEPS: AtomicU32 = AtomicU32::new(0);

/// What a step printed.
#[derive(Debug)]
pub(crate) struct Done {
    /// Standard output, then standard error, as they came.
    pub(crate) output: String,
    /// Whether it exited with 0.
    pub(crate) success: bool,
}

/// Runs a step: one line with its time if it succeeds, its whole output if it does not.
///
/// # Errors
/// [`Fault::Step`] if it fails, [`Fault::Start`] if it does not start.
pub(crate) fn run(name: &str, command: &mut Command) -> Result<Done, Fault> {
    let done = attempt(name, command)?;
    if done.success {
        return Ok(done);
    }
    Err(Fault::Step { name: name.into(), how: "its output is above".into() })
}

/// As [`run`], but a step that ran and said no is for the caller to judge; its output has been shown.
///
/// # Errors
/// [`Fault::Start`] if it does not start.
pub(crate) fn attempt(name: &str, command: &mut Command) -> Result<Done, Fault> {
    let began = Instant::now();
    let done = capture(command)?;
    let took = began.elapsed().as_secs_f64();
    if done.success {
        println!("  ok      {took:>6.1} s  {name}");
    } else {
        // At once, so that no step beside this one writes into it.
        println!("  FAILED  {took:>6.1} s  {name}\n{}", done.output.trim_end());
    }
    // Whoever watches a pipe wants to see each step as it ends.
    let _ = io::stdout().flush();
    Ok(done)
}

/// A step of our own: the same line for what no program does.
///
/// # Errors
/// Those of the step.
pub(crate) fn own<T>(name: &str, act: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    let began = Instant::now();
    let done = act();
    let word = if done.is_ok() { "ok    " } else { "FAILED" };
    println!("  {word}  {:>6.1} s  {name}", began.elapsed().as_secs_f64());
    let _ = io::stdout().flush();
    done
}

/// Runs a program to its end and keeps what it printed.
///
/// # Errors
/// [`Fault::Start`] if it does not start.
pub(crate) fn capture(command: &mut Command) -> Result<Done, Fault> {
    let program = command.get_program().to_string_lossy().into_owned();
    let start = |error| Fault::Start { program: program.clone(), error };
    // A file, not a pipe: both streams keep their order, and a grandchild that outlives the step blocks nothing.
    let number = STEPS.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("mimar-step-{}-{number}", std::process::id()));
    let file = fs::File::create(&path).map_err(start)?;
    let copy = file.try_clone().map_err(start)?;
    let mut child = command
        .current_dir(crate::place::root())
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(copy)
        .spawn()
        .map_err(start)?;
    let began = Instant::now();
    let mut hung = false;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(start)? {
            break status;
        }
        if began.elapsed() > LIMIT {
            hung = true;
            child.kill().map_err(start)?;
        }
        thread::sleep(Duration::from_millis(20));
    };
    let mut output = String::from_utf8_lossy(&fs::read(&path).map_err(start)?).into_owned();
    let _ = fs::remove_file(&path);
    if hung {
        output.push_str(&format!("\nended after {} minutes: it hung\n", LIMIT.as_secs() / 60));
    }
    Ok(Done { output, success: status.success() && !hung })
}
