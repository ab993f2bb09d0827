(app name: (name) @name) @definition.module
(service name: (name) @name) @definition.module
(external name: (name) @name) @definition.module
(entity name: (name) @name) @definition.class
(record name: (name) @name) @definition.class
(enum name: (name) @name) @definition.class
(fault name: (name) @name) @definition.class
(event name: (name) @name) @definition.class
(query name: (name) @name) @definition.function
(command name: (name) @name) @definition.function
(workflow name: (name) @name) @definition.function
(job name: (name) @name) @definition.function
(webhook name: (name) @name) @definition.function
(external_operation name: (name) @name) @definition.method

(named_type (path (identifier) @name)) @reference.type
(path function: (identifier) @name) @reference.call
