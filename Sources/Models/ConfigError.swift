// What can be wrong with a model's config.json.

/// A configuration that no model can be built from, in one sentence that names the field, what was found and what is
/// allowed.
public struct ConfigError: Error, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }

    init(field: String, found: JSONValue?, allowed: String) {
        let finding = found.map { "is \($0)" } ?? "is missing"
        self.init("config.json: \(field) \(finding); it must be \(allowed)")
    }
}
