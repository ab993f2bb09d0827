/**
 * @file The grammar of Mimar, as `crates/syntax` parses it: its nodes have the names of `NodeKind` there.
 *
 * Every keyword is contextual. Tree-sitter takes a word for a keyword only where the keyword may stand, so most names need
 * nothing; where one token ahead does not decide, `src/scanner.c` looks further, by the rules of the parser.
 *
 * @license MIT OR Apache-2.0
 */

/// <reference types="tree-sitter-cli/dsl" />
// @ts-check

/** How strongly each operator binds; `docs/language.md` has the table. */
const STRENGTH = { conditional: 0, or: 1, and: 2, not: 3, compare: 4, add: 5, multiply: 6, negate: 7 };

/**
 * One or more with commas between, and no bracket at the end.
 *
 * @param {RuleOrLiteral} rule
 */
function list(rule) {
  return seq(rule, repeat(seq(',', rule)));
}

/**
 * What stands in a bracket: between two elements a comma or a line break, behind the last a comma or nothing.
 *
 * @param {RuleOrLiteral} rule
 * @param {RuleOrLiteral} line_break
 */
function elements(rule, line_break) {
  return optional(seq(rule, repeat(seq(choice(',', line_break), rule)), optional(',')));
}

/**
 * `{ members }`
 *
 * @param {RuleOrLiteral[]} members
 */
function body(...members) {
  return seq('{', repeat(choice(...members)), '}');
}

module.exports = grammar({
  name: 'mimar',

  word: $ => $.identifier,

  extras: $ => [/[ \t\r\n]/, $.comment, $.doc_comment],

  // In the order of `enum Token` in src/scanner.c.
  externals: $ => [
    // A word with a colon behind it, whatever keyword it is elsewhere.
    $._label,
    $.rate,
    // A line break between two elements: of names, of an enum's values, of expressions. Empty.
    $._name_break,
    $._value_break,
    $._operand_break,
    // Behind a `return` without a value. Empty.
    $._end_of_return,
    // `create`, `run` and `call` where a value is due and they are no names.
    $._create_value,
    $._run_value,
    $._call_value,
    // `deprecated` on the line of the field it stands behind.
    $._deprecated_field,
    // `unique` with a parenthesis behind it.
    $._unique_group,
    // `to` as the name of a field.
    $._to_field,
    // A comma with another field of the same action behind it.
    $._field_comma,
    // Never valid, except where the parser recovers and takes all for valid.
    $._recovery,
  ],

  rules: {
    source_file: $ => repeat($._item),

    _item: $ => choice(
      $.app,
      $.auth,
      $.service,
      $.entity,
      $.record,
      $.enum,
      $.fault,
      $.query,
      $.command,
      $.event,
      $.on,
      $.webhook,
      $.workflow,
      $.job,
      $.limit,
      $.slo,
      $.external,
      $.load,
      $.environment,
      $.decision,
    ),

    // The app, who signs in, services

    app: $ => seq('app', field('name', $._name), body($.app_version, $.app_roles, $.app_surface)),
    app_version: $ => seq('version', $.integer),
    app_roles: $ => seq('roles', list($.role)),
    role: $ => field('name', $._name),
    app_surface: $ => seq('surface', list($._name_ref)),

    auth: $ => seq(
      'auth',
      body($.auth_users, $.auth_password, $.auth_oidc, $.auth_token, $.auth_limit),
    ),
    auth_users: $ => seq('users', field('entity', $.path), 'by', $._name_ref, 'as', $.roles),
    auth_password: _ => 'password',
    auth_oidc: $ => seq('oidc', field('name', $._name), $._claims),
    auth_token: $ => seq('token', $._claims),
    auth_limit: $ => seq('limit', $._limit_rest),
    _claims: $ => body($.claim_issuer, $.claim_client, $.claim_audience, $.claim_roles),
    claim_issuer: $ => seq('issuer', $.setting),
    claim_client: $ => seq('client', $.setting),
    claim_audience: $ => seq('audience', $.setting),
    claim_roles: $ => seq('roles', 'claim', $.string),

    service: $ => seq('service', field('name', $._name), body($._item)),

    roles: $ => list($._name_ref),
    setting: $ => choice($.string, seq(choice('env', 'secret'), $._name_ref)),

    // Entities

    entity: $ => seq(
      'entity',
      field('name', $._name),
      repeat(choice($.part_of, $.was, $.stored_as)),
      body(
        $.key,
        $.field,
        $.index,
        $.unique,
        $.check,
        $.flow,
        $.allow,
        $.cache,
        $.audit,
        $.privacy,
        $.deprecated,
      ),
    ),
    part_of: $ => seq(
      'part',
      'of',
      field('entity', $.path),
      'as',
      field('name', $._name),
      optional($._bounds),
    ),
    was: $ => seq('was', $._name_ref),
    stored_as: $ => seq('stored', 'as', $.string),

    key: $ => seq('key', $._field),
    field: $ => $._field,
    _field: $ => seq(
      field('name', alias($._label, $.name)),
      ':',
      field('type', $._type),
      repeat($._modifier),
    ),

    _modifier: $ => choice(
      $.default,
      $.computed,
      $.unique_modifier,
      $.immutable,
      $.search,
      $.pii,
      $.encrypted,
      $.secret,
      $.pattern,
      alias($._field_was, $.was),
      $.stored_as,
      $.on_delete,
      alias($._field_deprecated, $.deprecated),
    ),
    default: $ => seq('=', $._expression),
    computed: $ => seq(':=', $._expression),
    unique_modifier: _ => 'unique',
    immutable: _ => 'immutable',
    search: _ => 'search',
    pii: _ => seq('pii', optional('sensitive')),
    encrypted: _ => 'encrypted',
    secret: _ => 'secret',
    pattern: $ => seq('pattern', $.string),
    _field_was: $ => seq('was', $._name_ref, optional($.half)),
    half: $ => seq(choice('before', 'after'), $.string),
    on_delete: $ => seq('on', 'delete', $._name_ref),
    _field_deprecated: $ => seq(alias($._deprecated_field, 'deprecated'), $._since),

    index: $ => seq('index', '(', elements($.index_key, $._name_break), ')'),
    index_key: $ => seq(optional('-'), $._name_ref),
    unique: $ => seq(
      alias($._unique_group, 'unique'),
      '(',
      elements($._name_ref, $._name_break),
      ')',
    ),
    check: $ => seq('check', $._expression, optional($.string)),
    flow: $ => seq('flow', field('field', $._name_ref), body($.flow_rule)),
    flow_rule: $ => seq($._name_ref, '->', list($._name_ref)),
    allow: $ => seq('allow', list($.allow_action), 'to', $.roles, optional($._when)),
    allow_action: $ => seq(
      choice('read', 'create', 'update', 'delete'),
      optional(seq(
        choice($._name_ref, alias($._to_field, $.name_ref)),
        repeat(seq(alias($._field_comma, ','), $._name_ref)),
      )),
    ),
    _when: $ => seq('when', $._expression),
    cache: $ => seq('cache', $.duration),
    audit: _ => 'audit',
    privacy: $ => seq('privacy', list(choice($.privacy_subject, $.retain))),
    privacy_subject: _ => 'subject',
    retain: $ => seq(
      'retain',
      $.duration,
      optional(seq('after', choice(seq(optional('last'), $.path), alias($._last_path, $.path)))),
    ),
    deprecated: $ => seq('deprecated', $._since),
    _since: $ => seq($.string, optional(seq('sunset', $.string)), optional($.string)),

    // Records, enums, errors

    record: $ => seq('record', field('name', $._name), $._fields),
    _fields: $ => body($.field),

    enum: $ => seq('enum', field('name', $._name), optional($.was), $._values),
    _values: $ => seq('{', elements($.enum_value, $._value_break), '}'),
    enum_value: $ => seq(field('name', $._name), optional($.was)),

    fault: $ => seq(
      'error',
      field('name', $._name),
      field('status', $.integer),
      field('message', alias($._template, $.string)),
      optional($._fields),
    ),

    // Types

    _type: $ => choice($.named_type, $.list_type, $.enum_type),
    named_type: $ => seq(
      choice($.path, alias($._enum_path, $.path)),
      optional(seq('(', elements($._type_argument, $._name_break), ')')),
      optional('?'),
    ),
    _type_argument: $ => choice($._name_ref, $._number, alias($._open_range, $.range)),
    list_type: $ => seq('[', $._type, ']', optional($._bounds), optional('?')),
    enum_type: $ => prec(1, seq('enum', $._values, optional('?'))),
    record_type: $ => seq($._fields, optional('?')),

    _bounds: $ => seq('(', $.range, ')'),
    range: $ => choice($._number, $._open_range),
    _open_range: $ => choice(
      seq('-', $._number),
      seq($._bound, '..', optional($._bound)),
      seq('..', $._bound),
    ),
    _bound: $ => seq(optional('-'), $._number),

    // Queries and commands

    query: $ => seq(
      'query',
      field('name', $._name),
      $.parameters,
      '->',
      field('type', $._type),
      body($.where, $.sort, $.page, $.admit),
    ),
    parameters: $ => seq('(', elements($.parameter, $._name_break), ')'),
    parameter: $ => seq(field('name', alias($._label, $.name)), ':', field('type', $._type)),
    where: $ => seq('where', $._expression),
    sort: $ => seq('sort', list($.sort_key)),
    sort_key: $ => seq(optional('-'), alias($._row_path, $.path)),
    page: $ => seq('page', choice($.integer, alias($._page_range, $.range))),
    _page_range: $ => seq($.integer, '..', optional($._bound)),
    admit: $ => seq('allow', $.roles, optional($._when)),

    command: $ => seq(
      'command',
      field('name', $._name),
      $.parameters,
      optional($._by_code),
      optional(seq('->', field('type', $._type))),
      optional($._by_code),
      body($.admit, $.deprecated, $._statement),
    ),
    _by_code: _ => seq('by', 'code'),

    block: $ => body($._statement),
    _statement: $ => choice(
      $.let,
      $.require,
      $.for,
      $.if,
      $.create,
      $.update,
      $.delete,
      $.emit,
      $.run,
      $.call,
      $.return,
    ),
    let: $ => seq('let', field('name', $._name), '=', $._value),
    require: $ => seq('require', $._expression, 'else', $.raise),
    raise: $ => seq(field('error', $.path), optional($._initializers)),
    for: $ => seq(
      'for',
      field('name', $._name),
      'in',
      $._expression,
      optional($.where),
      $.block,
    ),
    if: $ => seq('if', $._expression, $.block, optional(seq('else', choice($.if, $.block)))),
    create: $ => seq('create', $._with_initializers),
    update: $ => seq('update', $._with_initializers),
    emit: $ => seq('emit', $._with_initializers),
    delete: $ => seq('delete', $.path),
    run: $ => seq('run', $._run_rest),
    _run_rest: $ => seq(
      field('command', alias($._callee, $.path)),
      $.arguments,
      optional(seq('later', repeat(choice($.later_in, $.later_priority, $.later_unique)))),
    ),
    later_in: $ => seq('in', $._expression),
    later_priority: $ => seq('priority', $.integer),
    later_unique: $ => seq('unique', $._expression),
    call: $ => seq('call', $._call_rest),
    _call_rest: $ => seq(field('operation', alias($._callee, $.path)), $.arguments),
    return: $ => seq('return', choice($._end_of_return, $._value)),

    _value: $ => choice(
      $._expression,
      alias($._create_as_value, $.create),
      alias($._run_as_value, $.run),
      alias($._call_as_value, $.call),
    ),
    _create_as_value: $ => seq(alias($._create_value, 'create'), $._with_initializers),
    _run_as_value: $ => seq(alias($._run_value, 'run'), $._run_rest),
    _call_as_value: $ => seq(alias($._call_value, 'call'), $._call_rest),

    _with_initializers: $ => seq($.path, $._initializers),
    _initializers: $ => seq('{', elements($.initializer, $._operand_break), '}'),
    initializer: $ => choice(
      $._name_ref,
      seq(alias($._label, $.name_ref), ':', $._expression),
    ),
    arguments: $ => $._arguments,
    // Behind `in`, a parenthesis is a list also where it holds one element.
    _arguments: $ => prec(1, seq('(', elements($._expression, $._operand_break), ')')),

    // Events, webhooks, workflows, jobs

    event: $ => seq(
      'event',
      field('name', $._name),
      optional(seq('from', $.string)),
      optional(seq('by', $._name_ref)),
      body(alias($._event_allow, $.allow), $.field),
    ),
    _event_allow: $ => seq(
      'allow',
      list(alias($._event_action, $.allow_action)),
      'to',
      $.roles,
      optional($._when),
    ),
    // The last three are slips, which the compiler explains once it has read them.
    _event_action: _ => choice('read', 'replay', 'create', 'update', 'delete'),
    on: $ => seq('on', field('event', $.path), $.run),

    webhook: $ => seq(
      'webhook',
      field('name', $._name),
      body($.webhook_sends, $.webhook_receives, $.webhook_sign, $.webhook_retry),
    ),
    webhook_sends: $ => seq('sends', list($.path)),
    webhook_receives: $ => seq('receives', list($.webhook_received)),
    webhook_received: $ => seq($.path, optional(seq('as', $.string))),
    webhook_sign: $ => seq('sign', $._name_ref),
    webhook_retry: $ => seq('retry', 'for', $.duration),

    workflow: $ => seq(
      'workflow',
      field('name', $._name),
      $.parameters,
      optional(seq('on', field('event', $.path))),
      body($.step, $.retry, $.give_up),
    ),
    step: $ => seq('step', field('name', $._name), body($.undo, $._statement)),
    undo: $ => seq('undo', choice($.block, $._statement)),
    retry: $ => seq('retry', $.integer, 'times', 'from', $.duration, 'to', $.duration),
    give_up: $ => seq(
      'give',
      'up',
      'after',
      $.duration,
      optional(seq(optional(','), 'then', $.run)),
    ),

    job: $ => seq(
      'job',
      field('name', $._name),
      choice($.job_at, seq('every', $.duration)),
      optional($.job_jitter),
      optional($.job_catch_up),
      body($._statement),
    ),
    job_at: $ => seq('at', $.string, optional(seq('in', $.string))),
    job_jitter: $ => seq('jitter', $.duration),
    job_catch_up: $ => seq('catch', 'up', $._name_ref),

    // Promises, dependencies, pressure

    limit: $ => seq('limit', field('target', $.path), $._limit_rest),
    _limit_rest: $ => seq($.integer, 'per', $.duration, 'by', $._name_ref),
    slo: $ => seq('slo', field('target', $.path), $._promise),
    _external_slo: $ => seq('slo', $._promise),
    _promise: $ => seq($.percent, optional(seq('under', $.duration))),

    external: $ => seq(
      'external',
      field('name', $._name),
      body(
        $.external_url,
        $.external_bearer,
        $.external_timeout,
        $.external_breaker,
        $.external_bulkhead,
        $.retry,
        alias($._external_slo, $.slo),
        $.external_operation,
      ),
    ),
    external_url: $ => seq('url', $.setting),
    external_bearer: $ => seq('bearer', $.setting),
    external_timeout: $ => seq('timeout', $.duration),
    external_breaker: $ => seq(
      'breaker',
      'opens',
      'at',
      $.percent,
      'of',
      $.integer,
      'calls',
      'for',
      $.duration,
    ),
    external_bulkhead: $ => seq('bulkhead', $.integer),
    external_operation: $ => seq(
      field('method', choice('get', 'post', 'put', 'patch', 'delete')),
      field('name', $._name),
      field('path', alias($._template, $.string)),
      optional(field('body', $.record_type)),
      optional(seq('->', field('answer', choice($.record_type, $._type)))),
    ),

    load: $ => seq(
      'load',
      field('name', $._name),
      body($.load_grows, $.load_rows, $.load_rate),
    ),
    load_grows: $ => seq('grows', $.percent, 'per', $._period, 'for', $.integer, $._period),
    load_rows: $ => seq(field('target', $._load_target), $.integer, 'rows'),
    load_rate: $ => seq(
      field('target', $._load_target),
      $.rate,
      optional(seq('peak', $.rate)),
    ),
    _load_target: $ => choice($.path, alias($._grows_path, $.path)),
    _period: $ => alias($.identifier, $.period),

    // Where it runs, and why it is so

    environment: $ => seq(
      'environment',
      field('name', $._name),
      body(
        $.environment_store,
        $.environment_cache,
        $.environment_broker,
        $.environment_cloud,
        $.environment_budget,
        $.environment_deploy,
      ),
    ),
    environment_store: $ => seq(
      'store',
      $._name_ref,
      $.setting,
      optional(body($.store_replicas, $.store_backup, $.store_recover)),
    ),
    store_replicas: $ => seq('replicas', $.integer),
    store_backup: $ => seq('backup', 'every', $.duration, 'keep', $.duration),
    store_recover: $ => seq('recover', 'to', 'any', 'point', 'in', $.duration),
    environment_cache: $ => seq('cache', $._name_ref, $.setting),
    environment_broker: $ => seq('broker', $._name_ref, $.setting),
    environment_cloud: $ => seq('cloud', $._name_ref, $.region),
    region: _ => /[A-Za-z_][A-Za-z0-9_]*(-+[A-Za-z0-9_]*)*/,
    environment_budget: $ => seq(
      'budget',
      choice($.integer, $.decimal),
      $._name_ref,
      'per',
      $._period,
    ),
    environment_deploy: $ => seq('deploy', list($.deploy_target)),
    deploy_target: $ => seq($._name_ref, 'x', $.range),

    decision: $ => seq(
      'decision',
      field('title', $.string),
      body($.criteria, $.alternative, $.chosen),
    ),
    criteria: $ => seq('criteria', list($.weight)),
    alternative: $ => seq('option', field('name', $._name), body($.weight)),
    weight: $ => seq(field('name', $._name), $.integer),
    chosen: $ => seq('chosen', $._name_ref, 'because', $.string),

    // Expressions

    _expression: $ => choice(
      $._number,
      $.string,
      $.boolean,
      $.null,
      $.now,
      $.path,
      alias($._constant_path, $.path),
      $.function_call,
      $.paren,
      $.list,
      $.unary,
      $.binary,
      $.conditional,
    ),
    binary: $ => choice(
      ...[
        ['or', STRENGTH.or],
        ['and', STRENGTH.and],
        [choice('==', '!=', '<', '<=', '>', '>='), STRENGTH.compare],
        [choice('+', '-'), STRENGTH.add],
        [choice('*', '/'), STRENGTH.multiply],
      ].map(([operator, strength]) =>
        prec.left(strength, seq(
          field('left', $._expression),
          field('operator', operator),
          field('right', $._expression),
        ))),
      prec.left(STRENGTH.compare, seq(
        field('left', $._expression),
        field('operator', 'in'),
        field('right', choice(alias($._arguments, $.list), $._expression)),
      )),
    ),
    unary: $ => choice(
      prec(STRENGTH.not, seq('not', $._expression)),
      prec(STRENGTH.negate, seq('-', $._expression)),
    ),
    function_call: $ => seq(field('function', $._name_ref), $._arguments),
    paren: $ => seq('(', $._expression, ')'),
    list: $ => seq('[', elements($._expression, $._operand_break), ']'),
    conditional: $ => prec.right(STRENGTH.conditional, seq(
      'if',
      field('condition', $._expression),
      'then',
      field('consequence', $._expression),
      'else',
      field('alternative', $._expression),
    )),

    // Names

    _name: $ => alias($.identifier, $.name),
    _name_ref: $ => alias($.identifier, $.name_ref),
    path: $ => choice(
      seq(field('root', $.identifier), repeat($._segment)),
      $._row_path,
    ),
    // Where a keyword may stand as well, it is a name if what follows it says so.
    _enum_path: $ => seq(field('root', alias('enum', $.identifier)), repeat($._segment)),
    _grows_path: $ => seq(field('root', alias('grows', $.identifier)), repeat($._segment)),
    _last_path: $ => seq(field('root', alias('last', $.identifier)), repeat($._segment)),
    _constant_path: $ => seq(
      field('root', alias(choice('true', 'false', 'null', 'now'), $.identifier)),
      repeat1($._segment),
    ),
    _row_path: $ => seq('.', field('field', $.identifier), repeat($._segment)),
    // The dot of `a.b` touches `a`: one on a line of its own begins a path of the row.
    _segment: $ => seq(token.immediate('.'), field('field', $.identifier)),
    // What is run or called: its last name says what, those before it where.
    _callee: $ => choice(
      field('function', $.identifier),
      seq(
        field('root', $.identifier),
        repeat($._segment),
        token.immediate('.'),
        field('function', $.identifier),
      ),
    ),
    identifier: _ => /[A-Za-z_][A-Za-z0-9_]*/,

    // Literals

    _number: $ => choice($.integer, $.decimal, $.duration, $.size, $.rate, $.percent),
    integer: _ => /[0-9][0-9_]*/,
    decimal: _ => /[0-9][0-9_]*\.[0-9][0-9_]*/,
    duration: _ => /[0-9][0-9_]*(ms|s|m|h|d|w|y)/,
    size: _ => /[0-9][0-9_]*(B|KB|MB|GB|TB)/,
    percent: _ => /[0-9][0-9_]*(\.[0-9][0-9_]*)?%/,
    boolean: _ => choice('true', 'false'),
    null: _ => 'null',
    now: _ => 'now',

    string: $ => seq(
      '"',
      repeat(choice($.string_content, $.escape_sequence)),
      token.immediate('"'),
    ),
    // Stronger than a comment, which may begin within a string.
    string_content: _ => token.immediate(prec(1, /[^"\\\n]+/)),
    escape_sequence: _ => token.immediate(/\\(["\\nt]|u\{[0-9A-Fa-f]{1,6}\})/),
    // A text whose `{name}` is filled in.
    _template: $ => seq(
      '"',
      repeat(choice(
        alias($._template_content, $.string_content),
        $.placeholder,
        $.escape_sequence,
      )),
      token.immediate('"'),
    ),
    _template_content: _ => token.immediate(prec(1, /[^"\\\n{]+|\{/)),
    placeholder: _ => token.immediate(prec(2, /\{[A-Za-z_][A-Za-z0-9_]*\}/)),

    // `///` documents what follows; four slashes are a plain comment.
    doc_comment: _ => token(/\/\/\/([^\/\n][^\n]*)?/),
    comment: _ => token(/\/\/([^\/\n][^\n]*|\/\/[^\n]*)?/),
  },
});
