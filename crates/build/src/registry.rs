//! Registries of images: whether one answers.
//!
//! Only that: what is pulled and pushed goes through the engine, with its credentials.

use std::time::Duration;

use tokio::net::TcpStream;

/// How long a registry may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The registry that has a repository, as `HOST:PORT`. A first component without dot, colon or the name
/// `localhost` belongs to the repository, and that to Docker Hub
/// (<https://pkg.go.dev/github.com/distribution/reference#ParseNormalizedNamed>).
pub fn host(repository: &str) -> String {
    let first = repository.split_once('/').map_or("", |(first, _)| first);
    match first {
        "" | "docker.io" => "registry-1.docker.io:443".into(),
        first if first.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) => first.into(),
        first if first.contains('.') || first == "localhost" => format!("{first}:443"),
        _ => "registry-1.docker.io:443".into(),
    }
}

/// Whether something listens at `host`, as seen from this machine: a remote engine may see more or less.
///
/// # Errors
/// Why not.
pub async fn reach(host: &str) -> std::io::Result<()> {
    match tokio::time::timeout(PATIENCE, TcpStream::connect(host)).await {
        Ok(connected) => connected.map(drop),
        Err(_) => Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "it does not answer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_tells_its_registry() {
        assert_eq!(host("public.ecr.aws/metrist/dist-debian"), "public.ecr.aws:443");
        assert_eq!(host("127.0.0.1:5000/a/b"), "127.0.0.1:5000");
        assert_eq!(host("metrist/dist"), "registry-1.docker.io:443");
        assert_eq!(host("debian"), "registry-1.docker.io:443");
    }
}
