//! Secrets of development.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// The secret kept at `path`, made when there is none: 64 hexadecimal digits that only its owner may read.
pub(crate) fn secret(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Ok(secret) if secret.trim().len() >= engine::identity::Key::SHORTEST_SECRET => {
            return Ok(secret.trim().to_owned());
        }
        Ok(_) => fs::remove_file(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Two random UUIDs: 244 bits from the system's generator.
    let secret =
        [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].map(|uuid| uuid.simple().to_string()).concat();
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(secret.as_bytes())?;
    Ok(secret)
}
