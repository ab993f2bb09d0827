[(query) (command) (workflow) (job) (step) (block) (for)] @local.scope

(parameter name: (name) @local.definition.parameter)
(let name: (name) @local.definition.var)
(for name: (name) @local.definition.var)

(path root: (identifier) @local.reference)
