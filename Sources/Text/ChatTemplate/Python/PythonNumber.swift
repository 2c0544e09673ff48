// PythonNumber: reading, printing and rounding numbers as Python does.

import Glibc

enum PythonNumber {
    /// Longer texts are no numbers: Python's own bound.
    private static let digitsMax = 4300

    /// The shortest decimal that reads back as `value`, in Python's spelling: `1.0`, `1e-05`, `1e+16`, `inf`.
    static func repr(_ value: Double) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        if value == 0 { return value.sign == .minus ? "-0.0" : "0.0" }

        // Swift's description has the same shortest digits and only places the point by another rule.
        var digits: [UInt8] = []
        var pointShift = 0
        var sawPoint = false
        let text = value.magnitude.description
        let mantissa = text.prefix { $0 != "e" }
        for byte in mantissa.utf8 {
            if byte == UInt8(ascii: ".") { sawPoint = true } else { digits.append(byte) }
            if sawPoint, byte != UInt8(ascii: ".") { pointShift -= 1 }
        }
        pointShift += Int(text.dropFirst(mantissa.count + 1)) ?? 0
        while digits.count > 1, digits.last == UInt8(ascii: "0") {
            digits.removeLast()
            pointShift += 1
        }
        digits = Array(digits.drop { $0 == UInt8(ascii: "0") })
        return (value < 0 ? "-" : "") + place(digits, exponent: digits.count + pointShift - 1)
    }

    /// `digits` with the point after the first one moved by `exponent`.
    private static func place(_ digits: [UInt8], exponent: Int) -> String {
        func text(_ digits: some Collection<UInt8>) -> String { PythonText.string(digits) }
        func zeros(_ count: Int) -> String { String(repeating: "0", count: count) }
        // Python's repr: exponents below -4 and from 16 on are written with an e.
        if exponent < -4 || exponent >= 16 {
            let fraction = digits.count > 1 ? "." + text(digits.dropFirst()) : ""
            let magnitude = exponent.magnitude < 10 ? "0\(exponent.magnitude)" : "\(exponent.magnitude)"
            return text(digits.prefix(1)) + fraction + (exponent < 0 ? "e-" : "e+") + magnitude
        }
        if exponent < 0 { return "0." + zeros(-exponent - 1) + text(digits) }
        if digits.count <= exponent + 1 { return text(digits) + zeros(exponent + 1 - digits.count) + ".0" }
        return text(digits.prefix(exponent + 1)) + "." + text(digits.dropFirst(exponent + 1))
    }

    /// Python's `float(text)`.
    static func double(_ text: String) -> Double? {
        guard text.utf8.count <= digitsMax, let cleaned = withoutUnderscores(PythonText.strip(text)) else { return nil }
        let lower = cleaned.lowercased()
        let unsigned = lower.hasPrefix("-") || lower.hasPrefix("+") ? lower.dropFirst() : lower[...]
        switch unsigned {
        case "inf", "infinity": return lower.hasPrefix("-") ? -Double.infinity : Double.infinity
        case "nan": return Double.nan
        default: break
        }
        // Swift reads hexadecimal and payloads too, Python does not.
        guard let first = unsigned.utf8.first,
            first == UInt8(ascii: ".") || PythonText.digitValue(first, radix: 10) != nil,
            lower.utf8.allSatisfy({ PythonText.digitValue($0, radix: 10) != nil || "e.+-".utf8.contains($0) })
        else { return nil }
        return Double(lower.hasSuffix(".") ? lower + "0" : lower.replacingPointBeforeExponent)
    }

    /// Python's `int(text, radix)`: the value, or its decimal digits where it does not fit 64 bits.
    static func integer(_ text: String, radix: Int = 10) -> RenderValue? {
        guard text.utf8.count <= digitsMax else { return nil }
        let trimmed = PythonText.strip(text)
        var digits = trimmed[...]
        let isNegative = digits.hasPrefix("-")
        if isNegative || digits.hasPrefix("+") { digits = digits.dropFirst() }
        var radix = radix
        let prefixes = ["0b": 2, "0o": 8, "0x": 16]
        if let prefixed = prefixes[digits.prefix(2).lowercased()], radix == prefixed || radix == 0 {
            radix = prefixed
            digits = digits.dropFirst(2)
            if digits.hasPrefix("_") { digits = digits.dropFirst() }
        } else if radix == 0 {
            // Without a prefix a leading zero says nothing about the base, so Python refuses it.
            guard !digits.hasPrefix("0") || digits.allSatisfy({ $0 == "0" || $0 == "_" }) else { return nil }
            radix = 10
        }
        guard let plain = withoutUnderscores(String(digits)), !plain.isEmpty,
            plain.utf8.allSatisfy({ PythonText.digitValue($0, radix: radix) != nil })
        else { return nil }
        if let value = Int((isNegative ? "-" : "") + plain, radix: radix) { return .int(value) }
        guard radix == 10 else { return nil }
        return .bigInteger((isNegative ? "-" : "") + plain.drop { $0 == "0" })
    }

    /// Underscores may stand between digits only.
    private static func withoutUnderscores(_ text: String) -> String? {
        guard text.utf8.contains(UInt8(ascii: "_")) else { return text }
        let bytes = Array(text.utf8)
        for (position, byte) in bytes.enumerated() where byte == UInt8(ascii: "_") {
            guard position > 0, position + 1 < bytes.count,
                PythonText.digitValue(bytes[position - 1], radix: 36) != nil,
                PythonText.digitValue(bytes[position + 1], radix: 36) != nil
            else { return nil }
        }
        return PythonText.string(bytes.filter { $0 != UInt8(ascii: "_") })
    }

    /// `value` to `places` decimals, ties to even on its exact value, as Python's `round`.
    static func rounded(_ value: Double, places: Int) -> Double {
        guard value.isFinite, places <= 308 else { return value }
        if places < -308 { return 0 * value }
        if places >= 0 { return Double(printed(value, "f", precision: places)) ?? value }
        let scale = pow(10, Double(-places))
        return (value / scale).rounded(.toNearestOrEven) * scale
    }

    /// What C's printf gives for one number with a conversion of `e`, `f` or `g`; a precision past 400 adds only zeros.
    static func printed(_ value: Double, _ conversion: Character, precision: Int, alternate: Bool = false) -> String {
        let format = "%" + (alternate ? "#" : "") + ".*" + String(conversion)
        // 310 digits before the point and 400 after it.
        var buffer = [CChar](repeating: 0, count: 800)
        let length = withVaList([CInt(clamping: min(precision, 400)), value]) {
            vsnprintf(&buffer, buffer.count, format, $0)
        }
        return PythonText.string(buffer.prefix(Int(max(length, 0))).map { UInt8(bitPattern: $0) })
    }
}

extension String {
    /// Python reads "1.e5", Swift wants a digit after the point.
    fileprivate var replacingPointBeforeExponent: String {
        guard let point = utf8.firstIndex(of: UInt8(ascii: ".")), utf8.index(after: point) < endIndex,
            self[utf8.index(after: point)] == "e"
        else { return self }
        return self[...point] + "0" + self[utf8.index(after: point)...]
    }
}
