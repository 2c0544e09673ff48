// The fields of config.json, read with their limits.

/// An object of config.json. Each reader checks what it reads and names the field in its error.
public struct ConfigFields: Sendable {
    /// Path of this object, ending in a dot unless it is the whole document.
    let path: String
    let values: [String: JSONValue]

    /// Whether the field is there and not null.
    public func has(_ name: String) -> Bool { value(name) != nil }

    /// A whole number in `allowed`; a missing field is `standard` where that is given.
    public func integer(
        _ name: String, in allowed: ClosedRange<Int>, standard: Int? = nil
    ) throws(ConfigError) -> Int {
        guard let value = value(name) else {
            if let standard { return standard }
            throw error(name, "a whole number from \(allowed.lowerBound) to \(allowed.upperBound)")
        }
        guard case .number(let number) = value, let integer = Int(exactly: number), allowed ~= integer else {
            throw error(name, "a whole number from \(allowed.lowerBound) to \(allowed.upperBound)")
        }
        return integer
    }

    /// Whole numbers in `allowed`; a missing field is none.
    public func integers(_ name: String, in allowed: ClosedRange<Int>) throws(ConfigError) -> [Int] {
        guard let value = value(name) else { return [] }
        func refusal() -> ConfigError {
            error(name, "a list of whole numbers from \(allowed.lowerBound) to \(allowed.upperBound)")
        }
        guard case .array(let elements) = value else { throw refusal() }
        var integers: [Int] = []
        for element in elements {
            guard case .number(let number) = element, let integer = Int(exactly: number), allowed ~= integer else {
                throw refusal()
            }
            integers.append(integer)
        }
        return integers
    }

    /// `count` numbers in `allowed`.
    public func numbers(_ name: String, count: Int, in allowed: ClosedRange<Double>) throws(ConfigError) -> [Double] {
        func refusal() -> ConfigError {
            error(name, "a list of \(count) numbers from \(allowed.lowerBound) to \(allowed.upperBound)")
        }
        guard case .array(let elements) = value(name), elements.count == count else { throw refusal() }
        var numbers: [Double] = []
        for element in elements {
            guard case .number(let number) = element, allowed ~= number else { throw refusal() }
            numbers.append(number)
        }
        return numbers
    }

    /// A list of `count` words, each one that `Choice` knows; nil when the field is missing.
    public func choices<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String, count: Int, of type: Choice.Type
    ) throws(ConfigError) -> [Choice]? {
        guard let value = value(name) else { return nil }
        func refusal() -> ConfigError {
            let known = Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
            return error(name, "a list of \(count), each one of \(known)")
        }
        guard case .array(let elements) = value, elements.count == count else { throw refusal() }
        var choices: [Choice] = []
        for element in elements {
            guard case .string(let word) = element, let choice = Choice(rawValue: word) else { throw refusal() }
            choices.append(choice)
        }
        return choices
    }

    /// Itself with `values` where fields are missing.
    func withDefaults(_ values: [String: JSONValue]) -> ConfigFields {
        ConfigFields(path: path, values: self.values.filter { $0.value != .null }.merging(values) { own, _ in own })
    }

    /// A number in `allowed`; a missing field is `standard` where that is given.
    public func number(
        _ name: String, in allowed: ClosedRange<Double>, standard: Double? = nil
    ) throws(ConfigError) -> Double {
        guard let value = value(name) else {
            if let standard { return standard }
            throw error(name, "a number from \(allowed.lowerBound) to \(allowed.upperBound)")
        }
        guard case .number(let number) = value, allowed ~= number else {
            throw error(name, "a number from \(allowed.lowerBound) to \(allowed.upperBound)")
        }
        return number
    }

    /// True or false; a missing field is `standard`.
    public func flag(_ name: String, standard: Bool) throws(ConfigError) -> Bool {
        guard let value = value(name) else { return standard }
        guard case .boolean(let flag) = value else { throw error(name, "true or false") }
        return flag
    }

    /// One of the words that `Choice` knows; a missing field is `standard` where that is given.
    public func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String, standard: Choice? = nil
    ) throws(ConfigError) -> Choice {
        let value = value(name)
        if value == nil, let standard { return standard }
        guard case .string(let word) = value, let choice = Choice(rawValue: word) else {
            let known = Choice.allCases.map { "\"\($0.rawValue)\"" }
            throw error(name, known.count == 1 ? known[0] : "one of \(known.joined(separator: ", "))")
        }
        return choice
    }

    /// A nested object, nil when the field is missing or null.
    public func object(_ name: String) throws(ConfigError) -> ConfigFields? {
        guard let value = value(name) else { return nil }
        guard case .object(let values) = value else { throw error(name, "an object") }
        return ConfigFields(path: "\(path)\(name).", values: values)
    }

    func value(_ name: String) -> JSONValue? {
        guard let value = values[name], value != .null else { return nil }
        return value
    }

    /// That the field is not `allowed`, a noun.
    func error(_ name: String, _ allowed: String) -> ConfigError {
        ConfigError(field: path + name, found: values[name], allowed: allowed)
    }
}
