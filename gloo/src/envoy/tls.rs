use serde_json::{Map, Value, json};

use super::json::{compact, typed};
use crate::api::{SslConfig, SslParameters, TlsVersion};
use crate::config::Tls;
use crate::secret::Secret;

/// What both directions of TLS have: certificate, whom to trust, versions.
pub(super) fn common_tls(config: &SslConfig, secret: Option<&Secret>) -> Value {
    let mut fields = Map::new();
    let mut trusted = None;
    if let Some(Secret::Tls { certificate, key, root }) = secret {
        if !certificate.is_empty() {
            let pair = json!([{
                "certificate_chain": { "inline_string": certificate },
                "private_key": { "inline_string": key },
            }]);
            fields.insert("tls_certificates".into(), pair);
        }
        trusted = (!root.is_empty()).then(|| json!({ "inline_string": root }));
    }
    if let Some(trusted) = trusted.filter(|_| config.one_way_tls != Some(true)) {
        let names = config.verify_subject_alt_name.iter();
        let names: Vec<Value> = names.map(|name| json!({ "exact": name })).collect();
        let context = json!({ "trusted_ca": trusted, "match_subject_alt_names": names });
        fields.insert("validation_context".into(), compact(context));
    }
    if !config.alpn_protocols.is_empty() {
        fields.insert("alpn_protocols".into(), json!(config.alpn_protocols));
    }
    if let Some(parameters) = &config.parameters {
        fields.insert("tls_params".into(), parameters_of(parameters));
    }
    compact(Value::Object(fields))
}

fn parameters_of(from: &SslParameters) -> Value {
    compact(json!({
        "tls_minimum_protocol_version": from.minimum_protocol_version.map(version),
        "tls_maximum_protocol_version": from.maximum_protocol_version.map(version),
        "cipher_suites": from.cipher_suites,
        "ecdh_curves": from.ecdh_curves,
    }))
}

fn version(version: TlsVersion) -> &'static str {
    match version {
        TlsVersion::Auto => "TLS_AUTO",
        TlsVersion::V1_0 => "TLSv1_0",
        TlsVersion::V1_1 => "TLSv1_1",
        TlsVersion::V1_2 => "TLSv1_2",
        TlsVersion::V1_3 => "TLSv1_3",
    }
}

/// TLS that ends in Envoy.
pub(super) fn downstream(from: &Tls) -> Value {
    let mut common = common_tls(&from.config, from.secret.as_ref().map(|(_, secret)| secret));
    if from.config.alpn_protocols.is_empty() {
        common["alpn_protocols"] = json!(["h2", "http/1.1"]);
    }
    let mut context = json!({ "common_tls_context": common });
    if from.asks_for_certificate() {
        context["require_client_certificate"] = json!(true);
    }
    let kind = "extensions.transport_sockets.tls.v3.DownstreamTlsContext";
    json!({ "name": "envoy.transport_sockets.tls", "typed_config": typed(kind, context) })
}
