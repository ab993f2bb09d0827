; Each node has one colour, so that no editor's order of patterns matters.

(comment) @comment
(doc_comment) @comment.documentation

; Literals

[(integer) (duration) (size) (rate) (percent)] @number
(decimal) @number.float
(boolean) @boolean
[(null) (now)] @constant.builtin
(string) @string
(escape_sequence) @string.escape
(placeholder) @string.special

; Keywords

[
  "app" "auth" "service" "entity" "record" "enum" "error" "event" "webhook" "external" "load" "environment" "decision"
] @keyword.type

["query" "command" "workflow" "job"] @keyword.function

[
  "pii" "sensitive" "secret" "pattern" "was" "stored" "deprecated" "unique" "part"
] @keyword.modifier
; Keywords that are a node by themselves.
[(immutable) (search) (encrypted) (secret) (unique_modifier)] @keyword.modifier
[(auth_password) (audit) (privacy_subject)] @keyword

["if" "then" "else" "when"] @keyword.conditional
["and" "or" "not"] @keyword.operator
(binary operator: "in" @keyword.operator)
(for ["for" "in"] @keyword.repeat)
"return" @keyword.return

(webhook_retry "for" @keyword)
(external_breaker "for" @keyword)
(load_grows "for" @keyword)
(later_in "in" @keyword)
(job_at "in" @keyword)
(store_recover "in" @keyword)

[
  "after" "allow" "any" "as" "at" "audience" "backup" "bearer" "because" "before" "breaker" "broker" "budget"
  "bulkhead" "by" "cache" "call" "calls" "catch" "check" "chosen" "claim" "client" "cloud" "code" "create" "criteria"
  "delete" "deploy" "emit" "env" "every" "flow" "from" "get" "give" "grows" "index" "issuer" "jitter" "keep" "key" "last"
  "later" "let" "limit" "of" "oidc" "on" "opens" "option" "page" "patch" "peak" "per" "point" "post" "priority"
  "privacy" "put" "read" "receives" "recover" "replay" "replicas" "require" "retain" "retry" "roles" "rows" "run" "sends" "sign"
  "slo" "sort" "step" "store" "sunset" "surface" "times" "timeout" "to" "token" "under" "undo" "up" "update"
  "url" "users" "version" "where" "x"
] @keyword

; What is declared

(app name: (name) @type.definition)
(entity name: (name) @type.definition)
(record name: (name) @type.definition)
(enum name: (name) @type.definition)
(fault name: (name) @type.definition)
(event name: (name) @type.definition)
(service name: (name) @module)
(external name: (name) @module)
(query name: (name) @function)
(command name: (name) @function)
(workflow name: (name) @function)
(job name: (name) @function)
(webhook name: (name) @function)
(external_operation name: (name) @function)
(step name: (name) @label)
(load name: (name) @label)
(environment name: (name) @label)
(alternative name: (name) @label)
(auth_oidc name: (name) @label)
(key name: (name) @property)
(field name: (name) @property)
(part_of name: (name) @property)
(weight name: (name) @property)
(enum_value name: (name) @constant)
(role name: (name) @constant)
(parameter name: (name) @variable.parameter)
(let name: (name) @variable)
(for name: (name) @variable)

; What is named

(path root: (identifier) @type.builtin
  (#any-of? @type.builtin
    "Bool" "Int" "Float" "Decimal" "Money" "String" "Email" "Url" "Uuid" "Date" "Time" "Timestamp" "Duration" "Json" "Bytes"))
(path root: (identifier) @type
  (#match? @type "^[A-Z]")
  (#not-any-of? @type
    "Bool" "Int" "Float" "Decimal" "Money" "String" "Email" "Url" "Uuid" "Date" "Time" "Timestamp" "Duration" "Json" "Bytes"))
(path root: (identifier) @variable.builtin
  (#any-of? @variable.builtin "caller" "auto"))
(path root: (identifier) @variable
  (#match? @variable "^[a-z_]")
  (#not-any-of? @variable "caller" "auto"))
(path field: (identifier) @type (#match? @type "^[A-Z]"))
(path field: (identifier) @property (#match? @property "^[a-z_]"))
(path function: (identifier) @function.call)
(function_call function: (name_ref) @function.builtin)

(roles (name_ref) @constant)
(flow_rule (name_ref) @constant)
(named_type (name_ref) @constant)
(setting (name_ref) @constant)
(environment_budget (name_ref) @constant)
[(region) (period)] @constant
(allow_action (name_ref) @property)
(auth_users (name_ref) @property)
(event (name_ref) @property)
(flow field: (name_ref) @property)
(index_key (name_ref) @property)
(initializer (name_ref) @property)
(unique (name_ref) @property)
(was (name_ref) @property)
(app_surface (name_ref) @constant.builtin)
(environment_broker (name_ref) @constant.builtin)
(environment_cache (name_ref) @constant.builtin)
(environment_cloud (name_ref) @constant.builtin)
(environment_store (name_ref) @constant.builtin)
(job_catch_up (name_ref) @constant.builtin)
(on_delete (name_ref) @constant.builtin)
(webhook_sign (name_ref) @constant.builtin)
(auth_limit (name_ref) @variable.builtin)
(limit (name_ref) @variable.builtin)
(deploy_target (name_ref) @module)
(chosen (name_ref) @label)

; Signs

["=" ":=" "==" "!=" "<" "<=" ">" ">=" "+" "-" "*" "/" "->" ".." "?"] @operator
["," ":" "."] @punctuation.delimiter
["{" "}" "(" ")" "[" "]"] @punctuation.bracket
