//! A small shop: its tables, and the templates that a plan would compile for them.

use std::sync::Arc;

use operation::{
    Aggregate, Arithmetic, Cardinality, Check, Column, Computed, Create, Delete, Edit, Expression,
    Field, Flow, ForeignKey, Guard, Ident, Join, NumberKind, Object, OnDelete, Order, Output,
    PartChange, PartRow, PartTarget, Parts, Read, ReadId, ReferenceRule, Scalar, SetColumn, Table,
    TableId, Target, Unique, Value, Write,
};
use store::{Options, Row, Rows, Store, Written};

pub const DDL: &[&str] = &[
    "CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, \
     active INTEGER NOT NULL, row_version INTEGER NOT NULL DEFAULT 1)",
    "CREATE UNIQUE INDEX customer_email ON customer (email)",
    "CREATE TABLE product (sku TEXT PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL, \
     stock INTEGER NOT NULL, row_version INTEGER NOT NULL DEFAULT 1) WITHOUT ROWID",
    "CREATE TABLE \"order\" (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customer (id), \
     status TEXT NOT NULL, total INTEGER NOT NULL, note TEXT, placed INTEGER NOT NULL, \
     row_version INTEGER NOT NULL DEFAULT 1)",
    "CREATE INDEX order_customer ON \"order\" (customer, placed)",
    "CREATE TABLE order_line (\"order\" INTEGER NOT NULL REFERENCES \"order\" (id) ON DELETE CASCADE, \
     position INTEGER NOT NULL, product TEXT NOT NULL REFERENCES product (sku), \
     quantity INTEGER NOT NULL, price INTEGER NOT NULL, PRIMARY KEY (\"order\", position)) WITHOUT ROWID",
    "CREATE TABLE review (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customer (id) \
     ON DELETE CASCADE, row_version INTEGER NOT NULL DEFAULT 1)",
    "CREATE TABLE coupon (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customer (id) \
     ON DELETE SET NULL, row_version INTEGER NOT NULL DEFAULT 1)",
    "CREATE TABLE order_note (\"order\" INTEGER NOT NULL REFERENCES \"order\" (id) ON DELETE CASCADE, \
     position INTEGER NOT NULL, author INTEGER REFERENCES customer (id) ON DELETE SET NULL, \
     PRIMARY KEY (\"order\", position)) WITHOUT ROWID",
    "CREATE UNIQUE INDEX order_line_product ON order_line (\"order\", product)",
];

pub struct Shop {
    pub folder: tempfile::TempDir,
    pub store: Store,
    pub customer: Arc<Table>,
    pub product: Arc<Table>,
    pub order: Arc<Table>,
    pub line: Arc<Table>,
    pub customers: Arc<Target>,
    pub products: Arc<Target>,
    pub orders: Arc<Target>,
    pub read_customer: Arc<Read>,
    pub read_product: Arc<Read>,
    pub read_order: Arc<Read>,
    pub read_orders: Arc<Read>,
    pub bare_order: Arc<Read>,
    /// Orders of a customer, where the customer is active.
    pub active_orders: Arc<Read>,
    /// Orders of any customer that are still drafts.
    pub drafts: Arc<Read>,
    pub reviews: Arc<Target>,
    pub read_review: Arc<Read>,
    pub coupons: Arc<Target>,
    pub read_coupon: Arc<Read>,
}

fn ident(name: &str) -> Ident {
    Ident::new(name).unwrap()
}

fn column(name: &str, scalar: Scalar) -> Column {
    Column { name: ident(name), field: name.into(), scalar, nullable: false }
}

fn hidden(name: &str, scalar: Scalar) -> Column {
    Column { name: ident(name), field: "".into(), scalar, nullable: false }
}

fn same(table: &Table, column: usize, bind: usize) -> Expression {
    let _ = table;
    Expression::equal(Expression::column(column), Expression::Bind(bind))
}

pub fn object(table: &Table, source: usize) -> Object {
    let fields = table.columns.iter().enumerate().filter(|(_, c)| !c.field.is_empty());
    Object {
        fields: fields
            .map(|(column, c)| Field::new(&c.field, Output::Column { source, column }))
            .collect(),
    }
}

pub fn by_key(table: &Arc<Table>) -> Read {
    Read {
        id: ReadId::fresh(),
        table: table.clone(),
        joins: Vec::new(),
        filter: same(table, table.own_key(), 0),
        order: Vec::new(),
        cardinality: Cardinality::One,
        output: object(table, 0),
        root_bind: None,
        index: None,
    }
}

fn target(table: &Arc<Table>) -> Target {
    Target {
        id: ReadId::fresh(),
        table: table.clone(),
        visible: Guard::Always,
        computed: Vec::new(),
        checks: Vec::new(),
        flows: Vec::new(),
        references: Vec::new(),
        immutable: Vec::new(),
        parts: Vec::new(),
    }
}

impl Shop {
    pub fn open() -> Self {
        Self::with(Options::default())
    }

    pub fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("shop.db"), options).unwrap();
        let ddl: Vec<String> = DDL.iter().map(|text| (*text).to_owned()).collect();
        store.execute_schema(&ddl).unwrap();
        Self::around(folder, store)
    }

    fn around(folder: tempfile::TempDir, store: Store) -> Self {
        let money = Scalar::Decimal { scale: 2 };
        let customer = Arc::new(Table {
            id: TableId(0),
            name: ident("customer"),
            entity: "Customer".into(),
            columns: vec![
                column("id", Scalar::Int),
                column("name", Scalar::Text),
                column("email", Scalar::Text),
                column("active", Scalar::Bool),
                hidden("row_version", Scalar::Int),
            ],
            key: vec![0],
            root: None,
            auto: Some(0),
            version: Some(4),
            uniques: vec![Unique { name: ident("customer_email"), columns: vec![2] }],
            foreign_keys: Vec::new(),
            tracked: vec![0, 2],
        });
        let product = Arc::new(Table {
            id: TableId(1),
            name: ident("product"),
            entity: "Product".into(),
            columns: vec![
                column("sku", Scalar::Text),
                column("name", Scalar::Text),
                column("price", money),
                column("stock", Scalar::Int),
                hidden("row_version", Scalar::Int),
            ],
            key: vec![0],
            root: None,
            auto: None,
            version: Some(4),
            uniques: Vec::new(),
            foreign_keys: Vec::new(),
            tracked: vec![0],
        });
        let order = Arc::new(Table {
            id: TableId(2),
            name: ident("order"),
            entity: "Order".into(),
            columns: vec![
                column("id", Scalar::Int),
                column("customer", Scalar::Int),
                column("status", Scalar::Text),
                column("total", money),
                Column { nullable: true, ..column("note", Scalar::Text) },
                column("placed", Scalar::Timestamp),
                hidden("row_version", Scalar::Int),
            ],
            key: vec![0],
            root: None,
            auto: Some(0),
            version: Some(6),
            uniques: Vec::new(),
            foreign_keys: vec![ForeignKey {
                column: 1,
                target: TableId(0),
                on_delete: OnDelete::Restrict,
            }],
            tracked: vec![0, 1],
        });
        let line = Arc::new(Table {
            id: TableId(3),
            name: ident("order_line"),
            entity: "OrderLine".into(),
            columns: vec![
                hidden("order", Scalar::Int),
                column("position", Scalar::Int),
                column("product", Scalar::Text),
                column("quantity", Scalar::Int),
                column("price", money),
            ],
            key: vec![0, 1],
            root: Some(0),
            auto: None,
            version: None,
            uniques: vec![Unique { name: ident("order_line_product"), columns: vec![0, 2] }],
            foreign_keys: vec![
                ForeignKey { column: 0, target: TableId(2), on_delete: OnDelete::Cascade },
                ForeignKey { column: 2, target: TableId(1), on_delete: OnDelete::Restrict },
            ],
            tracked: vec![0, 2],
        });
        let of_customer = |id, name: &str, entity: &str, on_delete| {
            Arc::new(Table {
                id: TableId(id),
                name: ident(name),
                entity: entity.into(),
                columns: vec![
                    column("id", Scalar::Int),
                    Column { nullable: true, ..column("customer", Scalar::Int) },
                    hidden("row_version", Scalar::Int),
                ],
                key: vec![0],
                root: None,
                auto: Some(0),
                version: Some(2),
                uniques: Vec::new(),
                foreign_keys: vec![ForeignKey { column: 1, target: TableId(0), on_delete }],
                tracked: vec![0, 1],
            })
        };
        let review = of_customer(4, "review", "Review", OnDelete::Cascade);
        let coupon = of_customer(5, "coupon", "Coupon", OnDelete::Clear);
        let note = Arc::new(Table {
            id: TableId(6),
            name: ident("order_note"),
            entity: "OrderNote".into(),
            columns: vec![
                hidden("order", Scalar::Int),
                column("position", Scalar::Int),
                Column { nullable: true, ..column("author", Scalar::Int) },
            ],
            key: vec![0, 1],
            root: Some(0),
            auto: None,
            version: None,
            uniques: Vec::new(),
            foreign_keys: vec![
                ForeignKey { column: 0, target: TableId(2), on_delete: OnDelete::Cascade },
                ForeignKey { column: 2, target: TableId(0), on_delete: OnDelete::Clear },
            ],
            tracked: vec![0, 2],
        });
        store.know(&[customer.clone(), product.clone(), order.clone(), line.clone(), note]);

        let customers = Arc::new(target(&customer));
        let mut products = target(&product);
        products.checks.push(Check {
            expression: Expression::Compare(
                operation::Comparison::GreaterOrEqual,
                Box::new(Expression::column(3)),
                Box::new(Expression::Literal(Value::Int(0))),
            ),
            message: "stock cannot be negative".into(),
            field: "stock".into(),
        });
        let mut orders = target(&order);
        // total := sum(lines, .price * .quantity)
        orders.computed.push(Computed {
            column: 3,
            expression: Expression::Aggregate {
                aggregate: Aggregate::Sum,
                table: line.clone(),
                depth: 0,
                body: Box::new(Expression::Arithmetic {
                    operation: Arithmetic::Multiply,
                    kind: NumberKind::Int,
                    left: Box::new(Expression::column(4)),
                    right: Box::new(Expression::column(3)),
                }),
                kind: NumberKind::Int,
            },
        });
        orders.flows.push(Flow {
            column: 2,
            transitions: vec![
                ("draft".into(), vec!["placed".into(), "cancelled".into()]),
                ("placed".into(), vec!["shipped".into()]),
                ("shipped".into(), vec![]),
            ],
        });
        // Only active customers may be named.
        orders.references.push(ReferenceRule {
            column: 1,
            target: customer.clone(),
            visible: Guard::When(Expression::column(3)),
        });
        orders.parts.push(PartTarget {
            name: "lines".into(),
            table: line.clone(),
            minimum: 1,
            maximum: 4,
            positional: true,
            computed: Vec::new(),
            checks: vec![Check {
                expression: Expression::Compare(
                    operation::Comparison::Greater,
                    Box::new(Expression::column(3)),
                    Box::new(Expression::Literal(Value::Int(0))),
                ),
                message: "at least one".into(),
                field: "quantity".into(),
            }],
            flows: Vec::new(),
            references: vec![ReferenceRule {
                column: 2,
                target: product.clone(),
                visible: Guard::Always,
            }],
        });

        let lines = Read {
            id: ReadId::fresh(),
            table: line.clone(),
            joins: vec![Join {
                table: product.clone(),
                source: 0,
                column: 2,
                condition: Expression::yes(),
            }],
            filter: same(&line, 0, 1),
            order: vec![Order { column: 1, descending: false }],
            cardinality: Cardinality::Bounded(4),
            output: Object {
                fields: vec![
                    Field::new("position", Output::Column { source: 0, column: 1 }),
                    Field::new(
                        "product",
                        Output::Reference {
                            source: 1,
                            object: Object {
                                fields: vec![
                                    Field::new("sku", Output::Column { source: 1, column: 0 }),
                                    Field::new("name", Output::Column { source: 1, column: 1 }),
                                ],
                            },
                        },
                    ),
                    Field::new("quantity", Output::Column { source: 0, column: 3 }),
                    Field::new("price", Output::Column { source: 0, column: 4 }),
                ],
            },
            root_bind: Some(1),
            index: None,
        };
        let mut read_order = by_key(&order);
        // The customer as an object where active, else the bare key.
        read_order.joins.push(Join {
            table: customer.clone(),
            source: 0,
            column: 1,
            condition: Expression::column(3),
        });
        read_order.output.fields[1].output = Output::Reference {
            source: 1,
            object: Object {
                fields: vec![
                    Field::new("id", Output::Column { source: 1, column: 0 }),
                    Field::new("name", Output::Column { source: 1, column: 1 }),
                ],
            },
        };
        // A note that only shipped orders show.
        read_order.output.fields[4].condition = Some(Expression::equal(
            Expression::column(2),
            Expression::Literal(Value::text("shipped")),
        ));
        read_order.output.fields.push(Field::new(
            "lines",
            Output::Parts(Box::new(Parts { source: 0, read: Arc::new(lines) })),
        ));
        let read_orders = Read {
            id: ReadId::fresh(),
            filter: same(&order, 1, 0),
            order: vec![
                Order { column: 5, descending: true },
                Order { column: 0, descending: false },
            ],
            cardinality: Cardinality::Page { limit: 1 },
            ..by_key(&order)
        };
        let active_orders = Read {
            id: ReadId::fresh(),
            filter: Expression::all([
                same(&order, 1, 0),
                Expression::Lookup {
                    table: customer.clone(),
                    key: Box::new(Expression::column(1)),
                    value: Box::new(Expression::column(3)),
                },
            ]),
            ..read_orders.clone()
        };
        let drafts = Read {
            id: ReadId::fresh(),
            filter: Expression::equal(
                Expression::column(2),
                Expression::Literal(Value::text("draft")),
            ),
            ..read_orders.clone()
        };
        Self {
            folder,
            active_orders: Arc::new(active_orders),
            drafts: Arc::new(drafts),
            reviews: Arc::new(target(&review)),
            read_review: Arc::new(by_key(&review)),
            coupons: Arc::new(target(&coupon)),
            read_coupon: Arc::new(by_key(&coupon)),
            customers,
            products: Arc::new(products),
            orders: Arc::new(orders),
            read_customer: Arc::new(by_key(&customer)),
            read_product: Arc::new(by_key(&product)),
            read_order: Arc::new(read_order),
            read_orders: Arc::new(read_orders),
            bare_order: Arc::new(by_key(&order)),
            store,
            customer,
            product,
            order,
            line,
        }
    }

    /// Opens the same database again.
    pub fn reopen(self) -> Self {
        self.store.close();
        drop(self.store);
        let store = Store::open(&self.folder.path().join("shop.db"), Options::default()).unwrap();
        Self::around(self.folder, store)
    }

    pub fn new_customer(&self, name: &str, email: &str, active: bool) -> Write {
        Write::Create(Create {
            target: self.customers.clone(),
            binds: Vec::new(),
            row: PartRow {
                values: vec![
                    Value::Null,
                    Value::text(name),
                    Value::text(email),
                    Value::Bool(active),
                    Value::Int(1),
                ],
                named: Vec::new(),
            },
            parts: Vec::new(),
            guard: Guard::Always,
            answer: self.read_customer.clone(),
        })
    }

    pub fn new_product(&self, sku: &str, price: i64, stock: i64) -> Write {
        Write::Create(Create {
            target: self.products.clone(),
            binds: Vec::new(),
            row: PartRow {
                values: vec![
                    Value::text(sku),
                    Value::text(format!("Product {sku}")),
                    Value::Int(price),
                    Value::Int(stock),
                    Value::Int(1),
                ],
                named: Vec::new(),
            },
            parts: Vec::new(),
            guard: Guard::Always,
            answer: self.read_product.clone(),
        })
    }

    pub fn line(product: &str, quantity: i64, price: i64) -> PartRow {
        PartRow {
            values: vec![
                Value::Null,
                Value::Null,
                Value::text(product),
                Value::Int(quantity),
                Value::Int(price),
            ],
            named: vec![2],
        }
    }

    pub fn new_order(&self, customer: i64, lines: Vec<PartRow>) -> Write {
        let total = lines
            .iter()
            .map(|line| line.values[3].as_int().unwrap() * line.values[4].as_int().unwrap())
            .sum();
        Write::Create(Create {
            target: self.orders.clone(),
            binds: Vec::new(),
            row: PartRow {
                values: vec![
                    Value::Null,
                    Value::Int(customer),
                    Value::text("draft"),
                    Value::Int(total),
                    Value::text("secret"),
                    Value::Int(0),
                    Value::Int(1),
                ],
                named: vec![1],
            },
            parts: vec![lines],
            guard: Guard::Always,
            answer: self.read_order.clone(),
        })
    }

    /// A review or a coupon of a customer.
    pub fn new_of_customer(&self, target: &Arc<Target>, read: &Arc<Read>, customer: i64) -> Write {
        Write::Create(Create {
            target: target.clone(),
            binds: Vec::new(),
            row: PartRow {
                values: vec![Value::Null, Value::Int(customer), Value::Int(1)],
                named: vec![1],
            },
            parts: Vec::new(),
            guard: Guard::Always,
            answer: read.clone(),
        })
    }

    pub fn edit(
        &self,
        target: &Arc<Target>,
        answer: &Arc<Read>,
        key: Value,
        set: &[(usize, Value)],
    ) -> Edit {
        Edit {
            target: target.clone(),
            binds: Vec::new(),
            key,
            expected: None,
            guard: Guard::Always,
            guard_after: Guard::Always,
            set: set
                .iter()
                .map(|(column, value)| SetColumn {
                    column: *column,
                    value: value.clone(),
                    named: true,
                })
                .collect(),
            parts: Vec::new(),
            answer: answer.clone(),
            answer_key: None,
        }
    }

    pub fn edit_lines(&self, order: i64, change: PartChange) -> Write {
        let mut edit = self.edit(&self.orders, &self.read_order, Value::Int(order), &[]);
        edit.parts.push((0, change));
        Write::Edit(edit)
    }

    pub fn delete(&self, target: &Arc<Target>, key: Value) -> Write {
        Write::Delete(Delete {
            target: target.clone(),
            binds: Vec::new(),
            key,
            expected: None,
            guard: Guard::Always,
        })
    }

    pub fn write(&self, write: Write) -> Result<Written, operation::Fault> {
        self.store.write_blocking(write)
    }

    pub fn one(&self, read: &Read, key: Value) -> Option<(String, i64)> {
        match self.store.read(read, &[key]).unwrap() {
            Rows::One(row) => row.map(|Row { json, version }| (text(&json), version)),
            Rows::Page { .. } => panic!("a page"),
        }
    }
}

pub fn text(json: &[u8]) -> String {
    String::from_utf8(json.to_vec()).unwrap()
}

pub fn answer(written: &Written) -> String {
    text(written.json.as_ref().unwrap())
}
