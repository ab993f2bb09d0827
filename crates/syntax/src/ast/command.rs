//! Queries, commands and their statements.

use super::{Deprecated, Expr, Literal, Path, Range, Roles, TypeExpr, View, choice, views};
use crate::kind::{NodeKind, TokenKind};

views! {
    /// `query name(parameters) -> Entity { where … sort … page … allow … }`
    Query = Query {
        /// Its name.
        name: the declared;
        /// What it takes.
        parameters: child Parameters;
        /// What it answers a list of.
        result: child TypeExpr;
        /// What stands inside.
        members: children QueryMember;
    }

    /// `(a: T, b: T)`
    Parameters = Parameters {
        /// Each of them.
        list: children Parameter;
    }

    /// `a: T`
    Parameter = Parameter {
        /// Its name.
        name: the declared;
        /// Its type.
        type_expr: child TypeExpr;
    }

    /// `where EXPR`
    Where = Where {
        /// What a row must fulfil.
        condition: child Expr;
    }

    /// `sort -.placed, .id`
    Sort = Sort {
        /// Its keys in order.
        keys: children SortKey;
    }

    /// `.placed`, or `-.placed` for descending.
    SortKey = SortKey {
        /// The field.
        path: child Path;
    }

    /// `page 20`, or `page 20..200`: the default size and the greatest.
    Page = Page {
        /// The default size, where it stands alone.
        size: child Literal;
        /// The default and the greatest size, where both are given.
        range: child Range;
    }

    /// `allow ROLES when EXPR`
    Admit = Admit {
        /// Who may call.
        roles: child Roles;
        /// Under what condition.
        condition: child Expr;
    }

    /// `command name(parameters) by code -> T { allow … deprecated … statements }`; the answer stands before or behind `by code`.
    Command = Command {
        /// Its name.
        name: the declared;
        /// What it takes.
        parameters: child Parameters;
        /// What it answers, if anything.
        result: child TypeExpr;
        /// Who may call it.
        allows: children Admit;
        /// Since when it is to be called no more.
        deprecated: children Deprecated;
        /// What it does, in order.
        statements: children Statement;
        /// Whether its body is code outside of the model.
        is_by_code: word "code";
    }

    /// `{ statements }`
    Block = Block {
        /// Its statements in order.
        statements: children Statement;
    }

    /// `let name = VALUE`
    Let = Let {
        /// Its name.
        name: the declared;
        /// What it stands for.
        value: child Value;
    }

    /// `require EXPR else Error { … }`
    Require = Require {
        /// What must be true.
        condition: child Expr;
        /// What is answered otherwise.
        otherwise: child Raise;
    }

    /// `Error { a: x, b }` behind `else`.
    Raise = Raise {
        /// The error.
        error: child Path;
        /// What it carries.
        initializers: children Initializer;
    }

    /// `for name in EXPR where EXPR { … }`
    For = For {
        /// The name of the element.
        name: the declared;
        /// What it runs over: a list, or the name of an entity.
        source: child Expr;
        /// Which rows, where it runs over an entity.
        filter: child Where;
        /// What is done for each.
        body: child Block;
    }

    /// `if EXPR { … } else { … }`, or `else if …`.
    If = If {
        /// What decides.
        condition: child Expr;
        /// What is done if it holds.
        then: child Block;
        /// The `if` behind `else`, if there is one.
        else_if: child If;
    }

    /// `create Entity { a: x, b }`
    Create = Create {
        /// The entity.
        entity: child Path;
        /// Its fields' values.
        initializers: children Initializer;
    }

    /// `update PATH { a: x }`
    Update = Update {
        /// The row.
        target: child Path;
        /// The new values; `.field` is the row before.
        initializers: children Initializer;
    }

    /// `delete PATH`
    Delete = Delete {
        /// The row.
        target: child Path;
    }

    /// `emit Event { a: x, b }`
    Emit = Emit {
        /// The event.
        event: child Path;
        /// What it carries.
        initializers: children Initializer;
    }

    /// `run command(arguments) later`
    Run = Run {
        /// The command, or the workflow.
        command: child Path;
        /// What it is given.
        arguments: child Arguments;
        /// Whether it runs after the transaction instead of in it.
        is_later: word "later";
        /// How long it waits then.
        delay: child LaterIn;
        /// How urgent it is then.
        priority: child LaterPriority;
        /// By what it is asked for once, as long as it waits.
        unique: child LaterUnique;
    }

    /// `in 2h` behind `later`
    LaterIn = LaterIn {
        /// How long, a duration.
        delay: child Expr;
    }

    /// `priority 5` behind `later`
    LaterPriority = LaterPriority {
        /// The greater comes first.
        number: child Literal;
    }

    /// `unique EXPR` behind `later`
    LaterUnique = LaterUnique {
        /// Of all with one value one waits.
        value: child Expr;
    }

    /// `call external.operation(arguments)`
    Call = Call {
        /// The external and its operation: two words.
        operation: child Path;
        /// What it is given.
        arguments: child Arguments;
    }

    /// `return VALUE`
    Return = Return {
        /// What is answered.
        value: child Value;
    }

    /// `name: EXPR`, or `name` alone, which stands for `name: name`.
    Initializer = Initializer {
        /// The field.
        name: the used;
        /// Its value; `None` for the short form (see [`Initializer::is_short`]).
        value: child Expr;
    }

    /// `(a, b)` of a `run` or a `call`.
    Arguments = Arguments {
        /// Each of them.
        list: children Expr;
    }
}

choice! {
    /// What may stand in a query.
    QueryMember {
        /// `where`
        Where(Where),
        /// `sort`
        Sort(Sort),
        /// `page`
        Page(Page),
        /// `allow`
        Allow(Admit),
    }
}

choice! {
    /// A statement.
    Statement {
        /// `let`
        Let(Let),
        /// `require`
        Require(Require),
        /// `for`
        For(For),
        /// `if`
        If(If),
        /// `create`
        Create(Create),
        /// `update`
        Update(Update),
        /// `delete`
        Delete(Delete),
        /// `emit`
        Emit(Emit),
        /// `run`
        Run(Run),
        /// `call`
        Call(Call),
        /// `return`
        Return(Return),
    }
}

choice! {
    /// What a `let` may bind and a `return` may answer.
    Value {
        /// The row created.
        Create(Create),
        /// The answer of an external.
        Call(Call),
        /// The answer of a command.
        Run(Run),
        /// A conditional expression.
        Expr(Expr),
    }
}

impl Initializer<'_> {
    /// Whether it is the short form, `name` for `name: name`.
    #[must_use]
    pub fn is_short(self) -> bool {
        self.node().token(TokenKind::Colon).is_none()
    }
}

impl SortKey<'_> {
    /// Whether it sorts downwards.
    #[must_use]
    pub fn is_descending(self) -> bool {
        self.node().token(TokenKind::Minus).is_some()
    }
}

impl<'a> If<'a> {
    /// The block behind a plain `else`.
    #[must_use]
    pub fn otherwise(self) -> Option<Block<'a>> {
        self.node()
            .children()
            .filter(|child| child.kind() == NodeKind::Block)
            .nth(1)
            .and_then(Block::cast)
    }
}
