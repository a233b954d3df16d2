//! The arguments of `gateprobe gateway` that are about JSON Web Tokens.

use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::Algorithm;

use super::gateway::duration_or_zero;
use crate::gateway::{Error, JwtRules};

/// Which JSON Web Tokens let clients in.
#[derive(Debug, clap::Args)]
pub struct JwtArgs {
    /// Ask clients for a JSON Web Token: the secret of HS256, HS384 or HS512, or a public key in PEM
    #[arg(long, value_name = "FILE", requires = "jwt_algorithm", conflicts_with = "token_file")]
    jwt_key: Option<PathBuf>,
    /// What signs the tokens, such as ES256
    #[arg(long, value_name = "ALGORITHM", requires = "jwt_key")]
    jwt_algorithm: Option<Algorithm>,
    /// Take tokens of this issuer only
    #[arg(long, value_name = "ISS", requires = "jwt_key")]
    jwt_issuer: Option<String>,
    /// Take tokens for this audience only; without it, only tokens for none
    #[arg(long, value_name = "AUD", requires = "jwt_key")]
    jwt_audience: Option<String>,
    /// How long after its end a token is still taken, in whole seconds, an hour at most
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration_or_zero, requires = "jwt_key")]
    jwt_leeway: Duration,
    /// How long a session outlives its token, beside that, before it is closed with 4401
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration_or_zero, requires = "jwt_key")]
    pub(super) expiry_grace: Duration,
}

impl JwtArgs {
    /// The rules; `None` where no token is asked for.
    ///
    /// # Errors
    /// A key file that can't be read, or that holds no key for the algorithm.
    pub fn rules(self) -> Result<Option<JwtRules>, Error> {
        let Some((algorithm, key)) = self.jwt_algorithm.zip(self.jwt_key) else { return Ok(None) };
        let rules = JwtRules::read(algorithm, &key)?.with_issuer(self.jwt_issuer);
        Ok(Some(rules.with_audience(self.jwt_audience).with_leeway(self.jwt_leeway)))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::gateway::Args;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn arguments_become_rules() {
        let rules = |line: &str| {
            Cli::try_parse_from(line.split_whitespace())
                .map(|cli| cli.args.jwt.rules())
                .map_err(|e| e.to_string())
        };
        assert!(rules("gateway").unwrap().unwrap().is_none());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "s3cret").unwrap();
        let line = format!(
            "gateway --jwt-key {} --jwt-algorithm HS256 --jwt-issuer me --jwt-audience you --jwt-leeway 1m",
            file.display()
        );
        let shown = format!("{:?}", rules(&line).unwrap().unwrap().unwrap());
        for part in ["HS256", "\"me\"", "\"you\"", "leeway: 60"] {
            assert!(shown.contains(part) && !shown.contains("s3cret"), "{shown}");
        }
        let line = format!("{line} --expiry-grace 5s");
        let grace = Cli::try_parse_from(line.split_whitespace()).unwrap().args.jwt.expiry_grace;
        assert_eq!(grace, std::time::Duration::from_secs(5));
        let error = rules("gateway --jwt-key /nonexistent --jwt-algorithm ES256").unwrap().unwrap_err();
        assert!(error.to_string().contains("/nonexistent"));
    }

    #[test]
    fn wrong_arguments_say_why() {
        for (line, why) in [
            ("--jwt-key a", "--jwt-algorithm"),
            ("--jwt-algorithm HS1 --jwt-key a", "HS1"),
            ("--jwt-issuer a", "--jwt-key"),
            ("--expiry-grace 5s", "--jwt-key"),
            ("--jwt-key a --jwt-algorithm HS256 --token-file b", "--token-file"),
        ] {
            let words = std::iter::once("gateway").chain(line.split_whitespace());
            let error = Cli::try_parse_from(words).unwrap_err().to_string();
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
