// Reads a request's JSON; whatever is wrong with it names the place.

import Foundation
import Hummingbird

enum RequestBody {
    /// Largest body: a prompt that fills a context of a million tokens, as JSON, with room to spare.
    static let bytesMax = 16 << 20

    /// - Throws: ``APIError`` with the path of the member that could not be read.
    static func decode<Value: Decodable>(_ type: Value.Type, from body: ByteBuffer) throws -> Value {
        guard body.readableBytes > 0 else { throw APIError.invalid(nil, "the body is empty; send a JSON object") }
        do {
            return try JSONDecoder().decode(type, from: Data(body.readableBytesView))
        } catch let error as DecodingError {
            throw APIError(error)
        }
    }
}

extension APIError {
    init(_ error: DecodingError) {
        switch error {
        case .typeMismatch(let expected, let context):
            let path = Self.path(context.codingPath)
            self = .invalid(path, "\(path ?? "the body") must be \(Self.name(of: expected))")
        case .valueNotFound(let expected, let context):
            let path = Self.path(context.codingPath)
            self = .invalid(path, "\(path ?? "the body") must be \(Self.name(of: expected)), not null")
        case .keyNotFound(let key, let context):
            let path = Self.path(context.codingPath + [key])
            self = .invalid(path, "\(path ?? "a member") is required")
        case .dataCorrupted(let context):
            let path = Self.path(context.codingPath)
            let cause = (context.underlyingError as? NSError)?.userInfo[NSDebugDescriptionErrorKey] as? String
            self = .invalid(path, "the body is not valid JSON: \(cause ?? context.debugDescription)")
        @unknown default:
            self = .invalid(nil, "the body cannot be read as JSON")
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String? {
        var path = ""
        for key in keys {
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += path.isEmpty ? key.stringValue : "." + key.stringValue
            }
        }
        return path.isEmpty ? nil : path
    }

    fileprivate static func name(of type: Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "true or false"
        case is Int.Type, is Int64.Type, is UInt32.Type, is UInt64.Type: "a whole number"
        case is Float.Type, is Double.Type: "a number"
        case is [Any].Type: "an array"
        case is [String: Any].Type: "an object"
        default: "of another type"
        }
    }
}

/// Any member name.
struct MemberName: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) {
        stringValue = name
    }

    init?(stringValue: String) {
        self.stringValue = stringValue
    }

    init?(intValue: Int) { nil }
}

extension KeyedDecodingContainer where Key == MemberName {
    /// The member's value, `nil` when it is absent or null.
    func read<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value? {
        do {
            return try decodeIfPresent(type, forKey: MemberName(name))
        } catch let error where !(error is DecodingError) && !(error is APIError) {
            // A number that does not fit its type is an error of the decoder's own, without its place.
            throw APIError.invalid(name, "\(name) must be \(APIError.name(of: type))")
        }
    }

    /// The member's value, which must lie in `range`.
    func read<Value: Decodable & Comparable>(_ name: String, in range: ClosedRange<Value>) throws -> Value? {
        guard let value: Value = try read(name) else { return nil }
        guard range.contains(value) else {
            throw APIError.invalid(
                name, "\(name) must be from \(range.lowerBound) to \(range.upperBound), not \(value)")
        }
        return value
    }
}
