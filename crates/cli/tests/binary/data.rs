//! `mimar data`

use std::fs;

use crate::process::{Ended, Project, run};

const MODEL: &str = r#"
app Store { version 1  roles clerk  surface rest }
entity Person { key id: Int = auto  name: String(1..20)  boss: Person?  joined: Date?  allow read to clerk }
entity Order {
  key id: Uuid
  person: Person
  note: String(0..40)?
  tags: [String(1..9)](0..5)
  paid: Bool = false
  total: Money(EUR) := sum(lines, .price * .quantity)
  allow read to clerk
}
entity Line part of Order as lines (1..3) { price: Money(EUR)  quantity: Int(1..9) = 1 }
"#;
const PEOPLE: &str = "id,name,boss,joined\n2,Grace,1,\n1,\"Ada, Countess\",,2026-11-21\n";
const ORDERS: &str = "id,person,note,tags\n018f4e5a-7b3c-7def-8123-456789abcdef,2,\"two\nlines\",\"[\"\"a\"\",\"\"b\"\"]\"\n";
const LINES: &str = "order,price,quantity\n018f4e5a-7b3c-7def-8123-456789abcdef,1.25,2\n018f4e5a-7b3c-7def-8123-456789abcdef,0.10,\n";

fn project() -> Project {
    let project = Project::new(MODEL);
    project.write("rows/Person.csv", PEOPLE);
    project.write("rows/Order.csv", ORDERS);
    project.write("rows/Line.csv", LINES);
    project.write("rows/README.md", "not a file of rows");
    project
}

fn load(project: &Project) -> Ended {
    let folder = project.join("rows");
    run(&["data", "load", folder.to_str().unwrap(), "--project", project.path()])
}

fn dump(project: &Project, to: &str, format: &str) -> Ended {
    let folder = project.join(to);
    run(&[
        "data",
        "dump",
        folder.to_str().unwrap(),
        "--project",
        project.path(),
        "--format",
        format,
    ])
}

#[test]
fn rows_go_round() {
    let project = project();
    let loaded = load(&project);
    assert_eq!(loaded.code, 0, "{}", loaded.err);
    assert!(loaded.err.contains("loaded 5 rows from 3 files"), "{}", loaded.err);
    for format in ["csv", "jsonl"] {
        let dumped = dump(&project, format, format);
        assert_eq!(dumped.code, 0, "{}", dumped.err);
        // Into an empty database and out again: the same bytes.
        let other = Project::new(MODEL);
        let folder = project.join(format);
        let loaded = run(&["data", "load", folder.to_str().unwrap(), "--project", other.path()]);
        assert_eq!(loaded.code, 0, "{}", loaded.err);
        assert_eq!(dump(&other, "again", format).code, 0);
        for entity in ["Person", "Order", "Line"] {
            let name = format!("{entity}.{format}");
            let first = project.read(&format!("{format}/{name}"));
            assert_eq!(first, other.read(&format!("again/{name}")));
        }
    }
    assert!(project.read("csv/Person.csv").contains("1,\"Ada, Countess\",,2026-11-21"));
    assert!(
        project.read("jsonl/Line.jsonl").contains(r#""position":2,"price":"0.10","quantity":1"#)
    );
    // A dump never writes over another, nor some of its files beside those of another.
    fs::remove_file(project.join("csv/Person.csv")).unwrap();
    let again = dump(&project, "csv", "csv");
    assert_eq!(again.code, 3, "{}", again.err);
    assert!(again.err.contains("exists already"), "{}", again.err);
    assert!(!project.join("csv/Person.csv").exists());
}

#[test]
fn a_bad_file_is_said_and_nothing_of_it_stays() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("Person.csv", "id,nme\n1,x\n", &["Person.csv:1", "column `nme`", "did you mean `name`?"]),
        ("Person.csv", "id,name,name\n1,x,y\n", &["Person.csv:1", "stands twice"]),
        ("Person.csv", "id,name\n1,a\n2,b,c\n", &["Person.csv:3", "3 cells, the header 2"]),
        ("Person.csv", "id,name\n1,a\nx,b\n", &["Person.csv:3", "column `id`", "whole number"]),
        ("Person.csv", "id,name,joined\n1,,x\n", &["column `name`", "column `joined`"]),
        ("Person.csv", "id,name,boss\n1,a,7\n2,b,\n", &["Person.csv:2", "boss"]),
        ("Person.csv", "id,name\n1,a\n1,b\n", &["Person.csv:3"]),
        ("Line.csv", "order,price\n,1.00\n", &["Line.csv:2", "column `order`"]),
        (
            "Line.csv",
            "order,price\n018f4e5a-7b3c-7def-8123-456789abcdef,1.00\n018f4e5a-7b3c-7def-8123-456789abcdee,1.00\n",
            &["Line.csv:3", "there is no Order 018f4e5a-7b3c-7def-8123-456789abcdee"],
        ),
        ("Line.csv", "order,price\n", &["Order.csv:2", "0 rows", "1 to 3"]),
        (
            "Order.csv",
            "id,person,tags,total\n018f4e5a-7b3c-7def-8123-456789abcdef,2,[],9.99\n",
            &["Order.csv:2", "column `total`", "comes to 2.60"],
        ),
        ("Prson.csv", "id\n", &["Prson.csv", "did you mean `Person`?"]),
        ("Person.jsonl", "{}\n", &["Person.csv holds rows of Person too"]),
    ];
    for (name, text, wanted) in cases {
        let project = project();
        project.write(&format!("rows/{name}"), text);
        let refused = load(&project);
        assert_eq!(refused.code, 3, "{name} {text}");
        for part in *wanted {
            assert!(refused.err.contains(part), "{part}\n{}", refused.err);
        }
        assert!(refused.err.contains("Nothing was loaded"), "{}", refused.err);
        if dump(&project, "left", "csv").code == 0 {
            for entity in ["Person", "Order", "Line"] {
                let left = project.read(&format!("left/{entity}.csv"));
                assert_eq!(left.lines().count(), 1, "{entity} after {name}: {left}");
            }
        }
    }
}

/// What was there stays as it was, also where rows of other tables came before the fault.
#[test]
fn a_load_that_fails_leaves_what_was_there() {
    let project = project();
    assert_eq!(load(&project).code, 0);
    assert_eq!(dump(&project, "before", "csv").code, 0);
    project.write("rows/Person.csv", "id,name\n8,h\n9,i\n");
    project.write("rows/Order.csv", "id,person,tags\n018f4e5a-7b3c-7def-8123-000000000001,8,[]\n");
    let line = "order,price\n018f4e5a-7b3c-7def-8123-000000000001,1.00\n018f4e5a-7b3c-7def-8123-000000000002,1.00\n";
    project.write("rows/Line.csv", line);
    let refused = load(&project);
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert_eq!(dump(&project, "after", "csv").code, 0);
    for entity in ["Person", "Order", "Line"] {
        let [before, after] =
            ["before", "after"].map(|folder| project.read(&format!("{folder}/{entity}.csv")));
        assert!(before.lines().count() > 1, "{entity}");
        assert_eq!(before, after, "{entity}");
    }
}

#[test]
fn json_lines_are_read() {
    let project = project();
    fs::remove_file(project.join("rows/Person.csv")).unwrap();
    project.write(
        "rows/Person.jsonl",
        "{\"id\":1,\"name\":\"Ada\",\"boss\":null}\n\n{\"name\":\"Grace\",\"id\":2,\"joined\":\"2026-11-21\"}\n",
    );
    let loaded = load(&project);
    assert_eq!(loaded.code, 0, "{}", loaded.err);
    for (line, wanted) in [
        ("[1]", "must be an object"),
        ("{\"id\":1", "not JSON"),
        ("{\"id\":1,\"name\":\"a\",\"nme\":1}", "did you mean `name`?"),
        ("{\"id\":1,\"name\":7777777777777777777777}", "Person.jsonl:1"),
    ] {
        project.write("rows/Person.jsonl", line);
        let refused = load(&project);
        assert!(refused.code == 3 && refused.err.contains(wanted), "{line}\n{}", refused.err);
    }
}

#[test]
fn csv_says_what_it_cannot_hold() {
    let project = project();
    fs::remove_file(project.join("rows/Order.csv")).unwrap();
    project.write(
        "rows/Order.jsonl",
        "{\"id\":\"018f4e5a-7b3c-7def-8123-456789abcdef\",\"person\":1,\"note\":\"\",\"tags\":[]}\n",
    );
    assert_eq!(load(&project).code, 0);
    let csv = dump(&project, "csv", "csv");
    assert!(csv.code == 3 && csv.err.contains("--format jsonl"), "{}", csv.err);
    assert_eq!(dump(&project, "jsonl", "jsonl").code, 0);
}
