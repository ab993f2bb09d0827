//! What Mimar can do, for coding agents: the Model Context Protocol over standard input and output.
//!
//! Nothing here knows more than the commands of the binary do. A tool is a function from its arguments to an answer ([`tool`]); it sees
//! files only through [`root`], which keeps it below one folder. What goes wrong in a tool is its answer, so that the agent reads it; an
//! error of the protocol is only what is no request to a tool.

mod prompt;
mod resource;
mod root;
mod tool;
mod turn;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    GetPromptRequestParams, GetPromptResponse, Implementation, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig,
};
use rmcp::service::{QuitReason, RequestContext, ServerInitializeError};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{RoleServer, ServerHandler, ServiceExt as _};

use crate::failure::Failure;
use root::Root;
use tool::{Refusal, Tool};
use turn::{Missed, Turns};

/// The longest message, in bytes. A longer one is passed over and told of in the log.
const LONGEST_MESSAGE: usize = 4 << 20;

/// Tools that work at the same time; a tool that was given up holds its place until it has ended.
const AT_ONCE: usize = 2;

/// Calls that may wait for a place.
const WAITING: usize = 32;

/// How long a tool may take, waiting included.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a client is told about the server as a whole.
const INSTRUCTIONS: &str = "\
Mimar turns a written architecture (*.mimar) into a running backend. Before you write a model, read the resource mimar://agents: it has the \
whole language by example. Then go in circles: `check` the text (it can be given inline, before a file is written), mend what is found \
(`explain` tells more of a code, `fix` mends what is sure), look at `policy` to see who may do what. Before you change a model that is \
in use, `diff` tells what breaks for callers, and `plan_migration` what becomes of the tables. Paths are relative to the root folder.";

/// Speaks with one host of agents, until it closes standard input.
pub(crate) fn serve(folder: &Path) -> Result<(), Failure> {
    let root = Root::open(folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let ended = runtime.block_on(converse(root));
    // A tool that still works is of no use to anybody now, and must not hold the process.
    runtime.shutdown_background();
    ended
}

async fn converse(root: Root) -> Result<(), Failure> {
    let (input, output) = rmcp::transport::stdio_pipes();
    let transport =
        AsyncRwTransport::new_server(input, output).with_max_line_length(LONGEST_MESSAGE);
    let agent = match Agent::new(root).serve(transport).await {
        Ok(agent) => agent,
        // Whoever started this has gone before the first word.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(Failure::Agent(error.to_string())),
    };
    match agent.waiting().await {
        Ok(QuitReason::JoinError(error)) | Err(error) => Err(Failure::Agent(error.to_string())),
        Ok(_) => Ok(()),
    }
}

/// What one host is served with.
struct Agent {
    root: Arc<Root>,
    turns: Turns,
}

impl Agent {
    fn new(root: Root) -> Self {
        Self { root: Arc::new(root), turns: Turns::new(AT_ONCE, WAITING, PATIENCE) }
    }

    /// What a tool answers, within its time.
    async fn call(
        &self,
        tool: &'static Tool,
        arguments: serde_json::Value,
    ) -> Result<tool::Answer, Refusal> {
        let root = self.root.clone();
        let missed = match self.turns.take(move || (tool.call)(&root, arguments)).await {
            Ok(answer) => return answer,
            Err(missed) => missed,
        };
        Err(Refusal::new(match missed {
            Missed::Full => format!(
                "{} calls are waiting already; try again when some have been answered",
                AT_ONCE + WAITING
            ),
            Missed::Late => format!(
                "`{}` took longer than {} seconds and was given up; give it a smaller part, or run the command of mimar by hand",
                tool.name,
                PATIENCE.as_secs()
            ),
            Missed::Failed(why) => {
                tracing::error!("the tool {} failed: {why}", tool.name);
                "a fault of mimar itself; its log on stderr says more".to_owned()
            }
        }))
    }
}

impl ServerHandler for Agent {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_prompts()
            .build();
        let name = Implementation::new("mimar", env!("CARGO_PKG_VERSION")).with_title("Mimar");
        ServerConfig::new(capabilities).with_server_info(name).with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tool::TOOLS.iter().map(Tool::announced).collect()))
    }

    fn get_tool(&self, name: &str) -> Option<rmcp::model::Tool> {
        tool::find(name).map(Tool::announced)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = tool::find(&request.name) else {
            let names: Vec<&str> = tool::TOOLS.iter().map(|tool| tool.name).collect();
            let said =
                format!("there is no tool `{}`; there are: {}", request.name, names.join(", "));
            return Err(ErrorData::invalid_params(Cow::Owned(said), None));
        };
        let arguments = request.arguments.unwrap_or_default().into();
        let answer = tokio::select! {
            answer = self.call(tool, arguments) => answer,
            () = context.ct.cancelled() => Err(Refusal::new("cancelled")),
        };
        let result = match answer {
            Ok(answer) => {
                let mut result = CallToolResult::structured(answer.data);
                // For people and models; the same as the structured content says for programs.
                result.content = vec![ContentBlock::text(answer.text)];
                result
            }
            Err(refusal) => CallToolResult::error(vec![ContentBlock::text(refusal.text())]),
        };
        Ok(result.into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(resource::all()))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(resource::templates()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        resource::read(&request.uri).map(Into::into)
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(prompt::all()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        prompt::get(&request.name, &request.arguments.unwrap_or_default()).map(Into::into)
    }
}
