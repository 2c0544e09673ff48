// JinjaFilters+Values: filters on numbers and on single values.

import Glibc

extension JinjaFilters {
    static let defaulted: Body = { _, value, reader in
        let replacement = try reader.optional("default_value") ?? .emptyString
        let alsoForFalse = try reader.flag("boolean")
        try reader.finish()
        return value.isUndefined || alsoForFalse && !value.isTruthy ? replacement : value
    }

    static let attr: Body = { interpreter, value, reader in
        let name = try reader.requiredString("name")
        try reader.finish()
        // Items do not count here, only what Python has as attributes.
        let method = PythonMethod.named(name)
        if case .dict = value, method.map({ interpreter.methodAccess(of: value, $0) == MethodAccess.none }) ?? true {
            return .undefined(UndefinedReason(owner: value, member: .string(name)))
        }
        return try interpreter.attribute(name, method, of: value)
    }

    static let absolute: Body = { interpreter, value, reader in
        try reader.finish()
        switch value {
        case .double(let number): return .double(number.magnitude)
        case .bigInteger(let digits): return .bigInteger(digits.hasPrefix("-") ? String(digits.dropFirst()) : digits)
        case .undefined(let reason): throw interpreter.failure(reason.message)
        default:
            guard let number = value.integer else {
                throw interpreter.failure("bad operand type for abs(): '\(value.typeName)'")
            }
            return number < 0 ? try interpreter.signed(.int(number), isMinus: true) : .int(number)
        }
    }

    static let int: Body = { interpreter, value, reader in
        let missing = try reader.optional("default") ?? .int(0)
        let radix = try reader.optionalInteger("base") ?? 10
        try reader.finish()
        switch value {
        case .undefined(let reason): throw interpreter.failure(reason.message)
        case .int, .bigInteger: return value
        case .bool(let isTrue): return .int(isTrue ? 1 : 0)
        case .double(let number): return try truncated(number, interpreter) ?? missing
        case .string(let text), .markup(let text):
            try interpreter.budget.search(text)
            if radix == 0 || (2...36).contains(radix), let value = PythonNumber.integer(text, radix: radix) {
                return value
            }
            return try PythonNumber.double(text).flatMap { try truncated($0, interpreter) } ?? missing
        default: return missing
        }
    }

    /// The whole part of a number, nil where there is none.
    private static func truncated(_ number: Double, _ interpreter: JinjaInterpreter) throws -> RenderValue? {
        guard number.isFinite else { return nil }
        if let integer = Int(exactly: number.rounded(.towardZero)) { return .int(integer) }
        return .bigInteger(PythonNumber.printed(number.rounded(.towardZero), "f", precision: 0))
    }

    static let float: Body = { interpreter, value, reader in
        let missing = try reader.optional("default") ?? .double(0)
        try reader.finish()
        if case .undefined(let reason) = value { throw interpreter.failure(reason.message) }
        if let number = value.number { return .double(number) }
        guard let text = value.text else { return missing }
        try interpreter.budget.search(text)
        return PythonNumber.double(text).map(RenderValue.double) ?? missing
    }

    static let round: Body = { interpreter, value, reader in
        let places = try reader.optionalInteger("precision") ?? 0
        let method = try reader.optionalString("method") ?? "common"
        try reader.finish()
        guard ["common", "ceil", "floor"].contains(method) else {
            throw reader.failure("'method' must be common, ceil or floor")
        }
        if case .undefined(let reason) = value { throw interpreter.failure(reason.message) }
        guard let number = value.number else {
            throw interpreter.failure("type \(value.typeName) doesn't define __round__ method")
        }
        guard method != "common" else {
            guard let integer = value.integer else { return .double(PythonNumber.rounded(number, places: places)) }
            return .int(try rounded(integer, places: places))
        }
        let scale = pow(10, Double(places))
        let scaled = number * scale
        return .double((method == "ceil" ? scaled.rounded(.up) : scaled.rounded(.down)) / scale)
    }

    /// An integer to tens, hundreds, … for negative `places`; ties go to the even one.
    private static func rounded(_ value: Int, places: Int) throws -> Int {
        guard places < 0 else { return value }
        guard places > -19 else { return 0 }
        var scale = 1
        for _ in 0..<(-places) { scale *= 10 }
        let remainder = value % scale
        let down = value - remainder
        let isUp =
            remainder.magnitude > scale.magnitude / 2
            || remainder.magnitude == scale.magnitude / 2 && (down / scale) % 2 != 0
        guard isUp else { return down }
        let (result, overflow) = down.addingReportingOverflow(value < 0 ? -scale : scale)
        guard !overflow else { throw ChatTemplateError(.evaluation, "integers beyond 64 bits are not supported") }
        return result
    }

    static let filesizeformat: Body = { interpreter, value, reader in
        let isBinary = try reader.flag("binary")
        try reader.finish()
        guard let bytes = value.number ?? value.text.flatMap(PythonNumber.double), bytes.isFinite else {
            throw reader.failure("wants a number of bytes, not \(value.typeName)")
        }
        let base: Double = isBinary ? 1024 : 1000
        if bytes == 1 { return .string("1 Byte") }
        if bytes < base {
            return .string(PythonNumber.printed(bytes.rounded(.towardZero), "f", precision: 0) + " Bytes")
        }
        let prefixes = ["k", "M", "G", "T", "P", "E", "Z", "Y"]
        var unit = base
        for (position, prefix) in prefixes.enumerated() {
            unit *= base
            guard bytes < unit || position == prefixes.count - 1 else { continue }
            let name = isBinary ? (prefix == "k" ? "K" : prefix) + "iB" : prefix + "B"
            return .string(PythonNumber.printed(base * bytes / unit, "f", precision: 1) + " " + name)
        }
        return .emptyString
    }
}
