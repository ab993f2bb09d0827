"""Calls every tool of `mimar mcp` by the official Python SDK, which checks each answer against its output schema."""

import asyncio
import sys

import jsonschema
from mcp import Client, StdioServerParameters

CALLS = {
    "check": [{"path": "app.mimar"}, {"text": "app Broken { version }"}, {"text": "", "quiet": True}],
    "explain": [{"topic": "E0405"}, {"topic": "missing-index"}, {"topic": "flow"}],
    "fix": [{"path": "app.mimar"}, {"path": "app.mimar", "unsafe": True}],
    "format": [{"path": "app.mimar"}, {"text": "app A {version 1}"}],
    "policy": [{"path": "app.mimar"}, {"path": "app.mimar", "role": "clerk"}],
    "describe": [{"path": "app.mimar"}],
    "diff": [{"old": "old", "new": "app.mimar"}],
    "plan_migration": [{"path": "app.mimar", "against": "old"}],
}


async def main(binary: str, root: str) -> None:
    server = StdioServerParameters(command=binary, args=["mcp", "--root", root])
    async with Client(server) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == set(CALLS), (set(tools), set(CALLS))
        examples = ["shop", "chinook", "quote"]
        texts = {}
        for name in examples:
            read = await client.read_resource(f"mimar://examples/{name}")
            texts[name] = read.contents[0].text
        calls = [(name, arguments) for name, all in CALLS.items() for arguments in all]
        calls += [(name, {"text": text}) for name in ["check", "describe", "policy"] for text in texts.values()]
        for name, arguments in calls:
            tool = tools[name]
            jsonschema.Draft202012Validator.check_schema(tool.input_schema)
            jsonschema.Draft202012Validator.check_schema(tool.output_schema)
            jsonschema.validate(arguments, tool.input_schema, cls=jsonschema.Draft202012Validator)
            answer = await client.call_tool(name, arguments)
            assert not answer.is_error, (name, answer.content)
            # The client has done so already, unless it has forgotten the schema.
            jsonschema.validate(answer.structured_content, tool.output_schema, cls=jsonschema.Draft202012Validator)
        refused = await client.call_tool("check", {"path": ".."})
        assert refused.is_error, refused
        print(f"{len(CALLS)} tools answered as they announced, in {len(calls)} calls")


asyncio.run(main(sys.argv[1], sys.argv[2]))
