; In the words of nvim-treesitter.

[
  (app)
  (auth)
  (auth_oidc)
  (auth_token)
  (service)
  (entity)
  (record)
  (enum)
  (enum_type)
  (fault)
  (event)
  (query)
  (command)
  (workflow)
  (job)
  (webhook)
  (step)
  (block)
  (external)
  (external_operation)
  (record_type)
  (load)
  (environment)
  (environment_store)
  (decision)
  (alternative)
  (flow)
  (parameters)
  (arguments)
  (list)
  (create)
  (update)
  (emit)
  (raise)
] @indent.begin

["}" ")" "]"] @indent.branch @indent.end

[(comment) (doc_comment)] @indent.ignore
