// PythonFormatSpec: how one value is printed by str.format and by the % operator: width, sign, precision, kind.

/// A value's print format.
struct PythonFormatSpec {
    enum Sign {
        case onlyMinus, always, space
    }
    enum Alignment: Character {
        case left = "<"
        case right = ">"
        case center = "^"
        /// Between sign and digits.
        case inside = "="
    }

    var fill: Character = " "
    var alignment: Alignment?
    var sign = Sign.onlyMinus
    /// With a prefix such as `0x`, or a point that is always there.
    var isAlternate = false
    var width = 0
    /// "," or "_" between groups of digits.
    var grouping: Character?
    var precision: Int?
    /// The kind of output: "d", "f", "s", …
    var conversion: Character?

    /// Widths and precisions beyond this are refused: no one reads them, and they cost memory.
    static let numberMax = 100_000
    /// A double has no more decimals than this that differ from zero and matter; C's printf is asked for no more.
    static let precisionMax = 400

    init() {}

    /// Reads what follows the colon in `{:…}`.
    init(_ text: String) throws {
        var rest = Array(text)[...]
        if rest.count > 1, let alignment = Alignment(rawValue: rest[1]) {
            fill = rest[0]
            self.alignment = alignment
            rest = rest.dropFirst(2)
        } else if let first = rest.first, let alignment = Alignment(rawValue: first) {
            self.alignment = alignment
            rest = rest.dropFirst()
        }
        switch rest.first {
        case "+": sign = .always
        case " ": sign = .space
        default: break
        }
        if let first = rest.first, "+- ".contains(first) { rest = rest.dropFirst() }
        if rest.first == "#" {
            isAlternate = true
            rest = rest.dropFirst()
        }
        if rest.first == "0" {
            if alignment == nil { (fill, alignment) = ("0", .inside) }
            rest = rest.dropFirst()
        }
        width = try Self.takeNumber(&rest) ?? 0
        if let first = rest.first, first == "," || first == "_" {
            grouping = first
            rest = rest.dropFirst()
        }
        if rest.first == "." {
            rest = rest.dropFirst()
            guard let number = try Self.takeNumber(&rest) else { throw Self.failure("a format lacks its precision") }
            precision = number
        }
        conversion = rest.popFirst()
        guard rest.isEmpty else { throw Self.failure("'\(text)' is no format") }
    }

    static func failure(_ message: String) -> ChatTemplateError { ChatTemplateError(.evaluation, message) }

    static func takeNumber(_ rest: inout ArraySlice<Character>) throws -> Int? {
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty else { return nil }
        rest = rest.dropFirst(digits.count)
        guard let number = Int(String(digits)), number <= numberMax else {
            throw failure("a width or precision in a format is more than \(numberMax)")
        }
        return number
    }

    // MARK: Printing

    /// A string, cut to the precision and padded.
    func format(text: String) throws -> String {
        guard conversion == nil || conversion == "s" else {
            throw Self.failure("a string has no format '\(conversion ?? "s")'")
        }
        guard alignment != .inside else { throw Self.failure("'=' alignment is not for strings") }
        let count = PythonText.scalarCount(text)
        let cut = precision.map { PythonText.slice(text, 0, min($0, count)) } ?? text
        return padded("", cut, defaultAlignment: .left)
    }

    /// An integer.
    func format(integer value: Int) throws -> String {
        var digits: String
        switch conversion {
        case nil, "d", "i", "u", "n": digits = String(value.magnitude)
        case "b": digits = String(value.magnitude, radix: 2)
        case "o": digits = String(value.magnitude, radix: 8)
        case "x": digits = String(value.magnitude, radix: 16)
        case "X": digits = String(value.magnitude, radix: 16, uppercase: true)
        case "c":
            guard let scalar = UInt32(exactly: value).flatMap(Unicode.Scalar.init) else {
                throw Self.failure("\(value) is no character")
            }
            return padded("", String(scalar), defaultAlignment: .left)
        case "e", "E", "f", "F", "g", "G", "%": return try format(double: Double(value))
        case let other?: throw Self.failure("an integer has no format '\(other)'")
        }
        if let grouping { digits = grouped(digits, by: conversion == nil || conversion == "d" ? 3 : 4, grouping) }
        let prefix = isAlternate ? ["b": "0b", "o": "0o", "x": "0x", "X": "0X"][conversion ?? "d"] ?? "" : ""
        return padded(signText(isNegative: value < 0) + prefix, digits, defaultAlignment: .right)
    }

    /// A floating-point number.
    func format(double value: Double) throws -> String {
        let signText = signText(isNegative: value.sign == .minus && !value.isNaN)
        guard value.isFinite else {
            let isUpper = conversion.map { $0.isUppercase } ?? false
            let text = (value.isNaN ? "nan" : "inf") + (conversion == "%" ? "%" : "")
            return padded(signText, isUpper ? text.uppercased() : text, defaultAlignment: .right)
        }
        if let precision, precision > Self.precisionMax {
            throw Self.failure("a number's precision is more than \(Self.precisionMax)")
        }
        let magnitude = value.magnitude
        var digits: String
        switch conversion {
        case nil:
            guard let precision else {
                digits = PythonNumber.repr(magnitude)
                break
            }
            digits = PythonNumber.printed(magnitude, "g", precision: max(precision, 1), alternate: isAlternate)
            if !digits.contains("e"), !digits.contains(".") { digits += ".0" }
        case "e", "f", "g", "E", "F", "G":
            let conversion = conversion ?? "f"
            let lower = Character(conversion.lowercased())
            digits = PythonNumber.printed(magnitude, lower, precision: precision ?? 6, alternate: isAlternate)
            if conversion.isUppercase { digits = digits.uppercased() }
        case "n": digits = PythonNumber.printed(magnitude, "g", precision: precision ?? 6, alternate: isAlternate)
        case "%": digits = PythonNumber.printed(magnitude * 100, "f", precision: precision ?? 6) + "%"
        case let other?: throw Self.failure("a floating-point number has no format '\(other)'")
        }
        if let grouping {
            let whole = digits.prefix { $0.isNumber }
            digits = grouped(String(whole), by: 3, grouping) + digits.dropFirst(whole.count)
        }
        return padded(signText, digits, defaultAlignment: .right)
    }

    private func signText(isNegative: Bool) -> String {
        if isNegative { return "-" }
        switch sign {
        case .onlyMinus: return ""
        case .always: return "+"
        case .space: return " "
        }
    }

    private func grouped(_ digits: String, by size: Int, _ separator: Character) -> String {
        var result = ""
        for (position, digit) in digits.enumerated() {
            if position > 0, (digits.count - position) % size == 0 { result.append(separator) }
            result.append(digit)
        }
        return result
    }

    private func padded(_ sign: String, _ text: String, defaultAlignment: Alignment) -> String {
        let missing = max(0, width - PythonText.scalarCount(sign) - PythonText.scalarCount(text))
        func fill(_ count: Int) -> String { String(repeating: self.fill, count: count) }
        switch alignment ?? defaultAlignment {
        case .left: return sign + text + fill(missing)
        case .right: return fill(missing) + sign + text
        case .center: return fill(missing / 2) + sign + text + fill(missing - missing / 2)
        case .inside: return sign + fill(missing) + text
        }
    }
}
