//! Who exports, as OpenTelemetry's resource.

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;

use super::settings::Identity;

/// The resource: ours, and above it what the operator says.
pub(super) fn resource(identity: &Identity) -> Resource {
    let ours = [
        KeyValue::new("service.name", "gateprobe"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", identity.instance.clone()),
    ];
    let host = identity.host.clone().map(|host| KeyValue::new("host.name", host));
    let told = identity.attributes.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    let service = identity.service.clone().map(|name| KeyValue::new("service.name", name));
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(ours.into_iter().chain(host))
        .with_attributes(told)
        .with_attributes(service)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_word_wins() {
        let identity = Identity {
            instance: "pod-0".into(),
            host: Some("node-1".into()),
            service: Some("probes".into()),
            attributes: vec![
                ("service.name".into(), "other".into()),
                ("host.name".into(), "node-2".into()),
                ("deployment.environment.name".into(), "prod".into()),
            ],
        };
        let resource = resource(&identity);
        let get = |name: &'static str| resource.get(&name.into()).map(|value| value.to_string());
        assert_eq!(get("service.name").as_deref(), Some("probes"));
        assert_eq!(get("service.instance.id").as_deref(), Some("pod-0"));
        assert_eq!(get("service.version").as_deref(), Some(env!("CARGO_PKG_VERSION")));
        assert_eq!(get("host.name").as_deref(), Some("node-2"));
        assert_eq!(get("deployment.environment.name").as_deref(), Some("prod"));
        assert_eq!(get("telemetry.sdk.language").as_deref(), Some("rust"));
    }
}
