//! Names of output files.

/// What the tokens of a name stand for.
pub(super) struct Tokens<'a> {
    pub(super) architecture: &'a str,
    pub(super) name: &'a str,
    pub(super) full_version: &'a str,
    pub(super) version: &'a str,
    pub(super) iteration: &'a str,
    pub(super) epoch: &'a str,
    pub(super) kind: &'a str,
    pub(super) extension: &'a str,
    /// rpm's distribution; the token stands for itself without one.
    pub(super) dist: Option<&'a str>,
}

impl Tokens<'_> {
    /// Fills in every token of `text`, anywhere in the path, in fpm's order.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        let dist = self.dist.map(|dist| ("DIST", dist));
        let tokens = [
            ("ARCH", self.architecture),
            ("NAME", self.name),
            ("FULLVERSION", self.full_version),
            ("VERSION", self.version),
            ("ITERATION", self.iteration),
            ("EPOCH", self.epoch),
            ("TYPE", self.kind),
            ("EXTENSION", self.extension),
        ];
        for (token, value) in dist.into_iter().chain(tokens) {
            filled = filled.replace(token, value);
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_filled_in_anywhere() {
        let tokens = Tokens {
            architecture: "amd64",
            name: "hello",
            full_version: "1.0-2",
            version: "1.0",
            iteration: "2",
            epoch: "",
            kind: "deb",
            extension: "deb",
            dist: None,
        };
        let text = "out/VERSION/NAME_FULLVERSION_ARCH.TYPE+ITERATION.EPOCH.DIST.EXTENSION";
        assert_eq!(tokens.fill(text), "out/1.0/hello_1.0-2_amd64.deb+2..DIST.deb");
    }
}
