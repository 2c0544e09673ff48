// One spelling for equal JSON values, so that a configuration can be hashed.

/// JSON without what does not change its meaning: white space, order of members, spelling of numbers and strings.
struct CanonicalJSON {
    let bytes: [UInt8]

    /// - Parameter omitted: members of the outermost object that are left out.
    init(_ json: [UInt8], file: String, omitting omitted: Set<String> = []) throws(CheckpointError) {
        var scanner = JSONScanner(json, file: file)
        bytes = try Self.value(&scanner, omitting: omitted)
        try scanner.end()
    }

    private static func value(_ scanner: inout JSONScanner, omitting omitted: Set<String> = []) throws(CheckpointError)
        -> [UInt8]
    {
        switch scanner.nextKind() {
        case .object:
            var members: [String: [UInt8]] = [:]
            try scanner.object { (scanner, name) throws(CheckpointError) in
                let content = try value(&scanner)
                guard members.updateValue(content, forKey: name) == nil else {
                    throw CheckpointError(.malformed, file: scanner.file, "states \(name.quoted) twice")
                }
            }
            var result = Array("{".utf8)
            for (name, content) in members.sorted(by: { $0.key < $1.key }) where !omitted.contains(name) {
                result += text(name) + content
            }
            return result + Array("}".utf8)
        case .array:
            var result = Array("[".utf8)
            try scanner.array { (scanner) throws(CheckpointError) in result += try value(&scanner) }
            return result + Array("]".utf8)
        case .string: return text(try scanner.string())
        case .number: return number(try scanner.numberText())
        case .literal: return Array(try scanner.literal().utf8)
        }
    }

    /// Its length stands before it, so that no text can look like structure.
    private static func text(_ string: String) -> [UInt8] {
        Array("\"\(string.utf8.count):".utf8) + Array(string.utf8)
    }

    /// 1000000, 1000000.0 and 1e6 are one number.
    private static func number(_ text: String) -> [UInt8] {
        if let whole = Int64(text) { return Array("#\(whole);".utf8) }
        // Not finite: too large for a Double; such a number is its own spelling.
        guard let value = Double(text), value.isFinite else { return Array("#\(text);".utf8) }
        if let whole = Int64(exactly: value) { return Array("#\(whole);".utf8) }
        return Array("#x\(String(value.bitPattern, radix: 16));".utf8)
    }
}
