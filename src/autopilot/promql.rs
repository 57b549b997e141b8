//! What a server that speaks PromQL says: Prometheus, Thanos, Mimir, VictoriaMetrics.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

/// How long one query may take.
const DEADLINE: Duration = Duration::from_secs(1);
/// The most that is read of an answer, in bytes.
const LONGEST: usize = 1 << 20;

/// A server that speaks PromQL.
#[derive(Clone, Debug)]
pub struct PromQl {
    http: reqwest::Client,
    query: Url,
    token_file: Option<PathBuf>,
}

/// The answer of `/api/v1/query`.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    error: String,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    kind: String,
    result: Value,
}

impl PromQl {
    /// The server whose API is below this address. The token is read anew for every query.
    ///
    /// # Errors
    /// When it is no address of HTTP, or there can be no client.
    pub fn new(address: &Url, token_file: Option<PathBuf>) -> anyhow::Result<Self> {
        anyhow::ensure!(
            ["http", "https"].contains(&address.scheme()) && address.host().is_some(),
            "{address} is no address of HTTP"
        );
        let mut query = address.clone();
        let path = format!("{}/api/v1/query", address.path().trim_end_matches('/'));
        query.set_path(&path);
        let http = reqwest::Client::builder()
            .timeout(DEADLINE)
            .user_agent("coalmine")
            // A token is for this server alone.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { http, query, token_file })
    }

    /// The one number that a query means now.
    ///
    /// # Errors
    /// Says what the server answers instead of one number, or why it does not.
    pub(super) async fn number(&self, query: &str) -> Result<f64, String> {
        // As a form, since a query may be longer than an address.
        let mut form = self.query.clone();
        form.query_pairs_mut().clear().append_pair("query", query);
        let form = form.query().unwrap_or_default().to_owned();
        let mut request = self.http.post(self.query.clone()).body(form);
        request = request.header("content-type", "application/x-www-form-urlencoded");
        if let Some(file) = &self.token_file {
            let token = tokio::fs::read_to_string(file).await;
            let token = token.map_err(|error| format!("{}: {error}", file.display()))?;
            request = request.bearer_auth(token.trim());
        }
        let mut response = request.send().await.map_err(|error| without_address(&error))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| without_address(&error))? {
            body.extend_from_slice(&part);
            if body.len() > LONGEST {
                return Err("its answer is too long for one number".to_owned());
            }
        }
        let answer: Result<Answer, _> = serde_json::from_slice(&body);
        match answer {
            Ok(Answer { data: Some(data), .. }) if status.is_success() => data.number(),
            Ok(Answer { error, .. }) if !error.is_empty() => Err(format!("{status}: {error}")),
            _ => Err(format!("the PromQL server answers {status}, and no result")),
        }
    }
}

impl Data {
    fn number(&self) -> Result<f64, String> {
        let sample = match self.kind.as_str() {
            "scalar" => &self.result,
            "vector" => match self.result.as_array().map(Vec::as_slice) {
                Some([one]) => &one["value"],
                Some([]) => {
                    return Err("the query has no series; `or vector(0)` gives it one".to_owned());
                }
                Some(several) => {
                    return Err(format!("the query has {} series in place of one", several.len()));
                }
                None => return Err("the result is no list of series".to_owned()),
            },
            other => return Err(format!("the query gives a {other} in place of one number")),
        };
        let text = sample[1].as_str().unwrap_or_default();
        let number: Option<f64> = text.parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| format!("the query gives {text:?}, which is no number"))
    }
}

/// The words of an error with those below it, without the query in its address.
fn without_address(error: &reqwest::Error) -> String {
    let mut words = if error.is_timeout() {
        "the PromQL server has not answered in time".to_owned()
    } else {
        "the PromQL server cannot be asked".to_owned()
    };
    let mut below = std::error::Error::source(error);
    while let Some(error) = below {
        words += &format!(": {error}");
        below = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(kind: &str, result: Value) -> Result<f64, String> {
        Data { kind: kind.to_owned(), result }.number()
    }

    #[test]
    fn one_number_is_read_and_nothing_else_is_taken_for_one() {
        assert_eq!(read("vector", json!([{"metric": {}, "value": [1.0, "0.25"]}])), Ok(0.25));
        assert_eq!(read("scalar", json!([1.0, "7"])), Ok(7.0));
        let two = json!([{"value": [1, "1"]}, {"value": [1, "2"]}]);
        for (kind, result, words) in [
            ("vector", two, "2 series in place of one"),
            ("vector", json!([]), "no series"),
            ("vector", json!([{"value": [1, "NaN"]}]), "\"NaN\", which is no number"),
            ("vector", json!([{"value": [1, "+Inf"]}]), "no number"),
            ("string", json!([1, "text"]), "a string in place of one number"),
            ("matrix", json!([]), "a matrix in place of one number"),
            ("vector", json!([{"histogram": [1, {}]}]), "no number"),
        ] {
            let error = read(kind, result).expect_err(words);
            assert!(error.contains(words), "{error}");
        }
    }
}
