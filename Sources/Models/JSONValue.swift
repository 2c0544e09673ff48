// A JSON document as values.

internal import FoundationEssentials

/// Any JSON value.
enum JSONValue: Equatable, Sendable {
    case null
    case boolean(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])
}

extension JSONValue: Decodable {
    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([String: JSONValue].self) {
            self = .object(value)
        } else {
            self = .array(try container.decode([JSONValue].self))
        }
    }

    /// - Throws: ``ConfigError`` when `bytes` are not one JSON document.
    init(parsing bytes: [UInt8]) throws(ConfigError) {
        do {
            self = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
        } catch {
            throw ConfigError("config.json is not a JSON document")
        }
    }
}

extension JSONValue: CustomStringConvertible {
    /// For messages, cut short where it is long.
    var description: String {
        // Enough to recognize a value by.
        let charactersMax = 60
        let text =
            switch self {
            case .null: "null"
            case .boolean(let value): value ? "true" : "false"
            case .number(let value): Int(exactly: value).map(String.init) ?? String(value)
            case .string(let value): "\"" + value.map { $0.isNewline ? " " : String($0) }.joined() + "\""
            case .array(let values):
                "[" + values.prefix(4).map(\.description).joined(separator: ", ") + (values.count > 4 ? ", …]" : "]")
            case .object: "an object"
            }
        return text.count > charactersMax ? text.prefix(charactersMax) + "…" : text
    }
}
