//! The linter of migrations.

use std::io::Write as _;
use std::process::Command;

/// Lints a migration of PostgreSQL with the program that `MIMAR_SQUAWK` names. `cargo xtask test` installs it and names it; a plain
/// `cargo test` goes without.
#[track_caller]
pub fn lint_migration(script: &str) {
    let Some(program) = std::env::var_os("MIMAR_SQUAWK") else { return };
    let file = tempfile::Builder::new().suffix(".sql").tempfile();
    let output = file.and_then(|mut file| {
        file.write_all(script.as_bytes())?;
        let mut squawk = Command::new(program);
        squawk.args(["--pg-version", "14.0", "--reporter", "gcc"]).arg(file.path()).output()
    });
    match output {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!("{}\n{script}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => panic!("squawk does not run: {error}"),
    }
}
