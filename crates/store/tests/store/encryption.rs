//! The way to PostgreSQL: TLS verified or not at all, and the socket of a server on this machine.

use store::{Options, Store, StoreFault};

use crate::shop::{POSTGRES, Shop};

fn refusal(url: &str) -> String {
    match Store::connect(url, Options::default()) {
        Err(StoreFault::CannotConnect { reason, database }) => {
            assert!(!database.contains("s3cret"), "{database}");
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_certificate_is_verified_with_its_name() {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let server = testbed::Postgres::encrypted(&own.cert.pem(), &own.signing_key.serialize_pem());
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, own.cert.pem()).unwrap();
    let url = server.database().replace("postgres@", "postgres:s3cret@");
    let with = |mode: &str| format!("{url}?sslmode={mode}&sslrootcert={}", roots.display());

    let store = Store::connect(&with("verify-full"), Options::default()).unwrap();
    let ddl: Vec<String> = POSTGRES.iter().map(|text| (*text).to_owned()).collect();
    store.execute_schema(&ddl).unwrap();
    let shop = Shop::around(folder, store);
    shop.write(shop.new_customer("Ann", "ann@example.org", true)).unwrap();
    assert!(shop.one(&shop.read_customer, operation::Value::Int(1)).is_some());

    // Not encrypted, the server does not let us in; `require` verifies, too.
    assert!(refusal(&url).contains("no encryption"), "{}", refusal(&url));
    let unknown = refusal(&format!("{url}?sslmode=require"));
    assert!(unknown.contains("certificate") && unknown.contains("sslrootcert"), "{unknown}");

    // The certificate of another host, however well signed, is that of another host.
    let other = rcgen::generate_simple_self_signed(["db.example".to_owned()]).unwrap();
    let server =
        testbed::Postgres::encrypted(&other.cert.pem(), &other.signing_key.serialize_pem());
    std::fs::write(shop.folder.path().join("roots.pem"), other.cert.pem()).unwrap();
    let url = server.database();
    let named = refusal(&format!("{url}?sslmode=require&sslrootcert={}", roots.display()));
    assert!(named.contains("certificate"), "{named}");
}

#[test]
fn a_server_is_reached_by_its_socket() {
    let server = testbed::postgres();
    let url = server.database();
    let (_, name) = url.rsplit_once('/').unwrap();
    let store = Store::connect(&server.by_socket(name), Options::default()).unwrap();
    let ddl: Vec<String> = POSTGRES.iter().map(|text| (*text).to_owned()).collect();
    store.execute_schema(&ddl).unwrap();
    store.call("by its socket");
    let shop = Shop::around(tempfile::tempdir().unwrap(), store);
    shop.write(shop.new_customer("Ann", "ann@example.org", true)).unwrap();
    assert!(shop.one(&shop.read_customer, operation::Value::Int(1)).is_some());
    // Where there is no address, nothing came over TCP.
    let count = "SELECT count(*) > 0, count(client_addr) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' \
                 AND pid <> pg_backend_pid()";
    assert_eq!(server.psql(name, count), "t|0\n");
}
