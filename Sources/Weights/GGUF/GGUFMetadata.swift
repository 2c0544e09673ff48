// What a GGUF file says about its model, read as what is asked for.

/// The metadata of a model in GGUF files. Each reader checks what it reads and names the key in its error.
public struct GGUFMetadata: Sendable {
    /// The file that it comes from.
    public let file: CheckpointFile
    let values: [String: GGUFValue]

    init(file: CheckpointFile, values: [String: GGUFValue]) {
        self.file = file
        self.values = values
    }

    public func has(_ name: String) -> Bool { values[name] != nil }

    /// A whole number; `nil` when it is not there.
    public func integer(_ name: String) throws(CheckpointError) -> Int? {
        switch values[name] {
        case nil: return nil
        case .unsigned(let number): return try small(Int(exactly: number), name)
        case .signed(let number): return try small(Int(exactly: number), name)
        case .boolean(let flag): return flag ? 1 : 0
        case .some(let value): throw wrong(name, value, "a whole number")
        }
    }

    /// A whole number, or one for each layer; a single one counts for all.
    func integers(_ name: String, count: Int) throws(CheckpointError) -> [Int]? {
        guard case .array(let array) = values[name] else {
            return try integer(name).map { Array(repeating: $0, count: count) }
        }
        guard array.count == count else {
            throw CheckpointError(
                .malformed, file: file.name, "\(name.quoted) has \(array.count) elements instead of \(count)")
        }
        var integers: [Int] = []
        try forEach(array, name) { (value) throws(CheckpointError) in
            switch value {
            case .unsigned(let number): integers.append(try small(Int(exactly: number), name))
            case .signed(let number): integers.append(try small(Int(exactly: number), name))
            default: throw wrong(name, value, "a whole number")
            }
        }
        return integers
    }

    /// A number, as it is to stand in JSON; `nil` when it is not there.
    func number(_ name: String) throws(CheckpointError) -> Double? {
        switch values[name] {
        case nil: return nil
        case .float32(let number):
            // The shortest decimal that is this float, as other formats write it: 1e-06, not 9.999999974752427e-07.
            return try finite(Double("\(number)"), name)
        case .float64(let number): return try finite(number, name)
        default: return try integer(name).map(Double.init)
        }
    }

    public func flag(_ name: String) throws(CheckpointError) -> Bool? {
        switch values[name] {
        case nil: return nil
        case .boolean(let flag): return flag
        case .some(let value): throw wrong(name, value, "true or false")
        }
    }

    public func text(_ name: String) throws(CheckpointError) -> String? {
        switch values[name] {
        case nil: return nil
        case .string(let bytes): return try text(bytes, name)
        case .some(let value): throw wrong(name, value, "a string")
        }
    }

    /// The strings of an array, read from the file; `nil` when it is not there.
    public func texts(_ name: String) throws(CheckpointError) -> [String]? {
        try elements(name, "an array of strings", .string) { (value) throws(CheckpointError) in
            guard case .string(let bytes) = value else { throw wrong(name, value, "a string") }
            return try text(bytes, name)
        }
    }

    /// The numbers of an array of float32, read from the file; `nil` when it is not there.
    public func floats(_ name: String) throws(CheckpointError) -> [Float]? {
        try elements(name, "an array of numbers", .float32) { (value) throws(CheckpointError) in
            guard case .float32(let number) = value else { throw wrong(name, value, "a number") }
            return number
        }
    }

    /// The numbers of an array of int32, read from the file; `nil` when it is not there.
    public func integers(_ name: String) throws(CheckpointError) -> [Int]? {
        let type = if case .array(let array) = values[name] { array.type } else { GGUFValueType.int32 }
        guard type == .int32 || type == .uint32 else { throw wrong(name, values[name], "an array of whole numbers") }
        return try elements(name, "an array of whole numbers", type) { (value) throws(CheckpointError) in
            switch value {
            case .signed(let number): try small(Int(exactly: number), name)
            case .unsigned(let number): try small(Int(exactly: number), name)
            default: throw wrong(name, value, "a whole number")
            }
        }
    }

    // MARK: Arrays

    private func elements<Element>(
        _ name: String, _ expected: String, _ type: GGUFValueType,
        _ element: (GGUFValue) throws(CheckpointError) -> Element
    ) throws(CheckpointError) -> [Element]? {
        guard let value = values[name] else { return nil }
        guard case .array(let array) = value, array.type == type else { throw wrong(name, value, expected) }
        var elements: [Element] = []
        elements.reserveCapacity(array.count)
        try forEach(array, name) { (value) throws(CheckpointError) in elements.append(try element(value)) }
        return elements
    }

    private func forEach(
        _ array: GGUFArray, _ name: String, _ body: (GGUFValue) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        let open = try ReadOnlyFile(path: file.path)
        guard open.byteCount == file.byteCount else {
            throw CheckpointError(.truncated, file: file.path, "has changed since it was opened; restart")
        }
        var cursor = GGUFCursor(file: file.name, fileBytes: open.byteCount, from: array.byteOffset) {
            (offset, count) throws(CheckpointError) in try open.read(at: offset, count: count)
        }
        for _ in 0..<array.count { try body(try cursor.value(array.type, name: name)) }
    }

    // MARK: Checks

    private func text(_ bytes: [UInt8], _ name: String) throws(CheckpointError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CheckpointError(.malformed, file: file.name, "\(name.quoted) is not UTF-8")
        }
        return text
    }

    /// Keeps sums and products of two far from overflow.
    private func small(_ number: Int?, _ name: String) throws(CheckpointError) -> Int {
        guard let number, abs(number) <= 1 << 31 else {
            throw CheckpointError(.malformed, file: file.name, "\(name.quoted) is beyond any model's size")
        }
        return number
    }

    private func finite(_ number: Double?, _ name: String) throws(CheckpointError) -> Double {
        guard let number, number.isFinite else {
            throw CheckpointError(.malformed, file: file.name, "\(name.quoted) is not a finite number")
        }
        return number
    }

    private func wrong(_ name: String, _ value: GGUFValue?, _ expected: String) -> CheckpointError {
        CheckpointError(
            .malformed, file: file.name, "\(name.quoted) is \(value?.kind ?? "missing"); it must be \(expected)")
    }
}
