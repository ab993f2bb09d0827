
"use strict";
(async () => {
  const METHODS = ["get", "post", "put", "patch", "delete"];
  const byId = (id) => document.getElementById(id);
  // Text never becomes markup: everything is built as nodes.
  const make = (tag, options = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(options)) {
      if (value === undefined || value === false) continue;
      if (name === "on") for (const [event, run] of Object.entries(value)) node.addEventListener(event, run);
      else if (name === "text") node.textContent = value;
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  };

  let api;
  try {
    const answer = await fetch("/openapi.json");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    api = await answer.json();
  } catch (error) {
    byId("main").replaceChildren(make("p", { text: `The description could not be read: ${error.message}` }));
    return;
  }
  document.title = `${api.info.title} API`;
  byId("title").textContent = api.info.title;
  byId("version").textContent = `v${api.info.version}`;

  const resolve = (item) => {
    let at = item;
    for (let step = 0; at && at.$ref && step < 8; step += 1)
      at = at.$ref.slice(2).split("/").reduce((node, key) => node?.[key], api);
    return at ?? {};
  };
  const nameOf = (schema) => schema?.$ref?.split("/").pop();

  const operations = [];
  for (const [path, item] of Object.entries(api.paths))
    for (const method of METHODS)
      if (item[method]) {
        const operation = item[method];
        const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map(resolve);
        operations.push({ path, method, operation, parameters, id: operation.operationId });
      }

  // Type, bounds and format of a schema, in a few words; names of schemas are links.
  const brief = (schema) => {
    const name = nameOf(schema);
    if (name) return [make("a", { href: `#schema-${name}`, text: name })];
    if (!schema) return ["any"];
    if ("const" in schema) return [JSON.stringify(schema.const)];
    const options = schema.anyOf ?? schema.oneOf;
    if (options) return options.flatMap((one, at) => (at ? [" or ", ...brief(one)] : brief(one)));
    const types = [schema.type ?? "any"].flat().filter((type) => type !== "null");
    const words = [];
    if (types.includes("array")) words.push("[", ...brief(schema.items), "]");
    else if (schema.enum && schema.enum.length <= 8) words.push(schema.enum.join(" | "));
    else words.push(schema.format ?? types.join(" or "));
    const bound = (low, high, unit) => {
      const far = (n) => n === undefined || Math.abs(n) > 9e15;
      if (far(low) && far(high)) return;
      words.push(` ${far(low) ? "" : low}..${far(high) ? "" : high}${unit}`);
    };
    bound(schema.minimum, schema.maximum, "");
    bound(schema.minLength, schema.maxLength, " characters");
    bound(schema.minItems, schema.maxItems, " items");
    if ([schema.type].flat().includes("null")) words.push("?");
    return words;
  };

  const members = (schema) => {
    const object = resolve(schema);
    if (!object.properties) return make("p", {}, ...brief(schema));
    const required = new Set(object.required ?? []);
    const rows = Object.entries(object.properties).map(([name, property]) =>
      make("tr", {},
        make("td", {}, make("code", { text: name, class: property.deprecated ? "gone" : undefined }),
          required.has(name) ? make("span", { class: "must", text: "required" }) : null),
        make("td", {}, make("code", { class: "long" }, ...brief(property))),
        make("td", { class: "quiet docs", text: [property.description, "default" in property ? `Default: ${JSON.stringify(property.default)}.` : ""].filter(Boolean).join(" ") })));
    return make("table", {}, make("tbody", {}, ...rows));
  };

  const value = (node) => node.value.trim();
  const encode = (text, listed) => {
    const encoded = encodeURIComponent(text);
    return listed ? encoded.replaceAll("%2C", ",") : encoded;
  };

  const tryIt = ({ path, method, operation, parameters }) => {
    const inputs = new Map();
    const field = (parameter) => {
      const id = `in-${parameter.in}-${parameter.name}`;
      const input = make("input", { id, autocomplete: "off", spellcheck: "false",
        placeholder: parameter.schema?.default !== undefined ? String(parameter.schema.default) : "" });
      inputs.set(parameter, input);
      return make("div", { class: "field" }, make("label", { for: id, text: parameter.name }), input);
    };
    const first = parameters.filter((parameter) => parameter.required);
    const rest = parameters.filter((parameter) => !parameter.required);
    const content = Object.entries(resolve(operation.requestBody).content ?? {})[0];
    const body = content && make("textarea", { spellcheck: "false", "aria-label": "Body" });
    if (body) body.value = JSON.stringify(content[1].example ?? {}, null, 2);
    const answer = make("div", { "aria-live": "polite" });
    const send = async () => {
      let url = path;
      const query = [];
      const headers = { Accept: "application/json" };
      for (const [parameter, input] of inputs) {
        const text = value(input);
        if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encode(text));
        else if (text === "") continue;
        else if (parameter.in === "query") query.push(`${encode(parameter.name)}=${encode(text, true)}`);
        else headers[parameter.name] = text;
      }
      if (query.length) url += `?${query.join("&")}`;
      const token = value(byId("token"));
      if (token) headers.Authorization = `Bearer ${token}`;
      if (body) headers["Content-Type"] = content[0];
      const began = performance.now();
      try {
        const reply = await fetch(url, { method: method.toUpperCase(), headers, body: body ? body.value : undefined });
        const text = await reply.text();
        const took = (performance.now() - began).toFixed(1);
        let shown = text;
        try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* Not JSON: shown as it is. */ }
        answer.replaceChildren(
          make("p", {}, make("span", { class: `status ${reply.ok ? "good" : "bad"}`, text: `${reply.status} ${reply.statusText}` }),
            make("span", { class: "quiet", text: `  ${took} ms · ${method.toUpperCase()} ${url}` })),
          make("details", {}, make("summary", { text: "Headers" }),
            make("pre", { text: [...reply.headers].map(([name, text]) => `${name}: ${text}`).join("\n") })),
          shown ? make("pre", { text: shown }) : "");
      } catch (error) {
        answer.replaceChildren(make("p", { class: "bad", text: error.message }));
      }
    };
    const form = make("div", { class: "try", on: { keydown: (event) => {
      if (event.key === "Enter" && (event.metaKey || event.ctrlKey || event.target.tagName === "INPUT")) send();
    } } }, ...first.map(field));
    if (rest.length) form.append(make("details", {}, make("summary", { text: `${rest.length} optional parameters` }), ...rest.map(field)));
    if (body) form.append(body);
    form.append(make("button", { type: "button", text: "Send", on: { click: send } }), answer);
    return form;
  };

  const operationPage = (entry) => {
    const { path, method, operation, parameters } = entry;
    const nodes = [
      make("h2", { text: operation.summary, class: operation.deprecated ? "gone" : undefined }),
      make("p", { class: "path" }, make("span", { class: `method ${method}`, text: method.toUpperCase() }), ` ${path}`),
      make("p", { class: "docs", text: operation.description ?? "" }),
      make("h3", { text: "Try it" }), tryIt(entry),
    ];
    if (parameters.length) {
      nodes.push(make("h3", { text: "Parameters" }), make("table", {}, make("tbody", {}, ...parameters.map((parameter) =>
        make("tr", {},
          make("td", {}, make("code", { text: parameter.name }), parameter.required ? make("span", { class: "must", text: "required" }) : null),
          make("td", {}, make("code", { class: "long" }, ...brief(parameter.schema))),
          make("td", { class: "quiet", text: parameter.description ?? parameter.schema?.description ?? "" }))))));
    }
    const body = Object.entries(resolve(operation.requestBody).content ?? {});
    if (body.length) nodes.push(make("h3", { text: "Body" }), make("p", { class: "quiet", text: body.map(([type]) => type).join(" or ") }), members(body[0][1].schema));
    nodes.push(make("h3", { text: "Answers" }), make("table", {}, make("tbody", {}, ...Object.entries(operation.responses).map(([status, response]) => {
      const answer = resolve(response);
      const schema = Object.values(answer.content ?? {})[0]?.schema;
      return make("tr", {}, make("td", {}, make("code", { text: status, class: status < "300" ? "good" : "" })),
        make("td", { class: "docs", text: answer.description }),
        make("td", {}, schema && (status < "300" || nameOf(schema) !== "Problem") ? make("code", { class: "long" }, ...brief(schema.properties?.data ?? schema)) : ""));
    }))));
    return nodes;
  };

  const schemaPage = (name) => {
    const schema = api.components.schemas[name];
    const nodes = [make("h2", { text: name })];
    if (schema.description) nodes.push(make("p", { class: "docs", text: schema.description }));
    nodes.push(members(schema), make("h3", { text: "JSON Schema" }), make("pre", { text: JSON.stringify(schema, null, 2) }));
    return nodes;
  };

  // What the model itself says of its problems, and then what holds of all.
  const ownProblem = (code) => {
    const own = Object.values(api.components.schemas).find((schema) => schema.properties?.code?.const === code);
    return own ? [make("h3", { text: own.properties.title.const }), make("p", { class: "docs", text: own.description ?? "" }), members(own)] : [];
  };
  const problemPage = (code) => [
    make("h2", { text: "Problems" }),
    make("p", { text: `A problem with the code “${code}”.` }),
    ...ownProblem(code),
    make("h3", { text: "Any problem" }),
    make("p", { text: "Every problem is a document of RFC 9457:" }),
    members(api.components.schemas.Problem),
    make("h3", { text: "What may be wrong with a request" }),
    members(api.components.schemas.Violation),
    make("h3", { text: "Statuses" }),
    make("table", {}, make("tbody", {}, ...Object.entries(api.components.responses).map(([name, response]) =>
      make("tr", {}, make("td", {}, make("code", { text: name })), make("td", { text: response.description }))))),
  ];

  // A collection and its items are one line: what can be done to either stands behind it.
  const resources = (tag) => {
    const lines = new Map();
    for (const entry of operations.filter(({ operation }) => operation.tags?.includes(tag))) {
      const path = entry.path.replace(/\/\{[^/]*\}$/, "");
      lines.set(path, [...(lines.get(path) ?? []), entry]);
    }
    return [...lines];
  };

  const home = () => [
    make("h2", { text: api.info.title }),
    make("p", { class: "docs", text: api.info.description ?? "" }),
    make("p", { class: "quiet", text: "Paste a token above to try things as somebody; without one you ask as anyone may." }),
    ...(api.tags ?? []).flatMap((tag) => [
      make("h3", { text: tag.name }),
      make("p", { class: "docs", text: tag.description ?? "" }),
      make("table", {}, make("tbody", {}, ...resources(tag.name).map(([path, entries]) => make("tr", {},
        make("td", {}, make("a", { href: `#${entries[0].id}` }, make("code", { text: path }))),
        make("td", { text: (entries[0].operation.description ?? "").split("\n")[0] }),
        make("td", { class: "verbs" }, ...entries.map(({ method, id, operation, path }) =>
          make("a", { class: `method ${method}`, href: `#${id}`, title: `${operation.summary}: ${path}`, text: method.toUpperCase() }))))))),
    ]),
    make("h3", { text: "Schemas" }),
    make("p", {}, ...Object.keys(api.components.schemas).flatMap((name) => [make("a", { href: `#schema-${name}`, text: name }), "  "])),
  ];

  const list = () => {
    const wanted = value(byId("find")).toLowerCase();
    const nodes = [];
    const group = (title, links) => { if (links.length) nodes.push(make("h2", { text: title }), ...links); };
    for (const tag of api.tags ?? []) {
      group(tag.name, operations
        .filter(({ operation }) => operation.tags?.includes(tag.name))
        .filter(({ path, operation, method }) => `${method} ${path} ${operation.summary}`.toLowerCase().includes(wanted))
        .map(({ path, method, operation, id }) => make("a", { href: `#${id}`, title: operation.summary },
          make("span", { class: `method ${method}`, text: method.toUpperCase() }),
          make("span", { text: path.replace(/^\/v\d+/, ""), class: operation.deprecated ? "gone" : undefined }))));
    }
    byId("list").replaceChildren(...nodes);
    mark();
  };
  const mark = () => {
    for (const link of byId("list").querySelectorAll("a"))
      link.toggleAttribute("aria-current", link.getAttribute("href") === location.hash);
  };
  const show = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    const entry = operations.find((operation) => operation.id === id);
    const schema = id.startsWith("schema-") ? id.slice(7) : undefined;
    let nodes;
    if (entry) nodes = operationPage(entry);
    else if (schema && Object.hasOwn(api.components.schemas, schema)) nodes = schemaPage(schema);
    else if (id.startsWith("problem-")) nodes = problemPage(id.slice(8));
    else nodes = home();
    byId("main").replaceChildren(...nodes);
    byId("main").scrollTop = 0;
    mark();
  };
  byId("token").value = sessionStorage.getItem("token") ?? "";
  byId("token").addEventListener("input", () => sessionStorage.setItem("token", value(byId("token"))));
  byId("find").addEventListener("input", list);
  addEventListener("hashchange", show);
  list();
  show();
})();
