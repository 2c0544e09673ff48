// JinjaInterpreter+Arithmetic: operators on numbers, and on strings and lists where Python has them.

import Glibc

extension JinjaInterpreter {
    /// `left operation right`.
    func arithmetic(_ left: RenderValue, _ operation: ArithmeticOperator, _ right: RenderValue) throws -> RenderValue {
        if case .undefined(let reason) = left { throw failure(reason.message) }
        switch operation {
        case .add: if let value = try joined(left, right) { return value }
        case .multiply:
            if let value = try repeated(left, right) ?? repeated(right, left) { return value }
        case .remainder:
            switch left {
            case .string(let format): return .string(try PythonPercentFormat.format(format, right, in: self))
            case .markup(let format):
                return .markup(try PythonPercentFormat.format(format, right, in: self, escapes: true))
            default: break
            }
        default: break
        }
        if case .undefined(let reason) = right { throw failure(reason.message) }
        for case .bigInteger in [left, right] {
            throw failure("integers beyond 64 bits are not supported in arithmetic")
        }
        if let left = left.integer, let right = right.integer { return try integers(left, operation, right) }
        if let left = left.number, let right = right.number { return .double(try doubles(left, operation, right)) }
        if operation == .add, left.text != nil {
            throw failure("can only concatenate str (not \"\(right.typeName)\") to str")
        }
        let (first, second) = (left.typeName, right.typeName)
        throw failure("unsupported operand type(s) for \(operation.rawValue): '\(first)' and '\(second)'")
    }

    /// A value with a sign before it.
    func signed(_ value: RenderValue, isMinus: Bool) throws -> RenderValue {
        switch value {
        case .undefined(let reason): throw failure(reason.message)
        case .double(let number): return .double(isMinus ? -number : number)
        case .bigInteger(let digits):
            return .bigInteger(!isMinus ? digits : digits.hasPrefix("-") ? String(digits.dropFirst()) : "-" + digits)
        default:
            guard let number = value.integer else {
                throw failure("bad operand type for unary \(isMinus ? "-" : "+"): '\(value.typeName)'")
            }
            return isMinus ? try checked(0, number.subtractingFromZero) : .int(number)
        }
    }

    // MARK: Strings and lists

    /// `left + right` of strings, lists or tuples; nil for anything else.
    private func joined(_ left: RenderValue, _ right: RenderValue) throws -> RenderValue? {
        switch (left, right) {
        case (.string(let left), .string(let right)): return .string(try joined(left, right))
        case (.markup(let left), .markup(let right)): return .markup(try joined(left, right))
        case (.markup(let left), .string(let right)):
            return .markup(try joined(left, try escapedForHTML(right)))
        case (.string(let left), .markup(let right)):
            return .markup(try joined(try escapedForHTML(left), right))
        case (.list(let left), .list(let right)):
            try budget.allocateValues(left.elements.count + right.elements.count)
            return try budget.list(left.elements + right.elements)
        case (.tuple(let left), .tuple(let right)):
            try budget.allocateValues(left.elements.count + right.elements.count)
            return try budget.tuple(left.elements + right.elements)
        default: return nil
        }
    }

    private func joined(_ left: String, _ right: String) throws -> String {
        try budget.allocateString(left.utf8.count + right.utf8.count)
        return left + right
    }

    /// `value * count` of a string, list or tuple; nil for anything else.
    private func repeated(_ value: RenderValue, _ count: RenderValue) throws -> RenderValue? {
        guard let count = count.integer.map({ max($0, 0) }) else { return nil }
        switch value {
        case .string(let text):
            try budget.allocateString(text.utf8.count, times: count)
            return .string(text.isEmpty ? "" : String(repeating: text, count: count))
        case .markup(let text):
            try budget.allocateString(text.utf8.count, times: count)
            return .markup(text.isEmpty ? "" : String(repeating: text, count: count))
        case .list(let list): return try budget.list(repeated(list.elements, count))
        case .tuple(let tuple): return try budget.tuple(repeated(tuple.elements, count))
        default: return nil
        }
    }

    private func repeated(_ elements: [RenderValue], _ count: Int) throws -> [RenderValue] {
        let (total, overflow) = elements.count.multipliedReportingOverflow(by: count)
        try budget.allocateValues(overflow ? .max : total)
        var result: [RenderValue] = []
        if !elements.isEmpty { for _ in 0..<count { result += elements } }
        return result
    }

    // MARK: Numbers

    private func integers(_ left: Int, _ operation: ArithmeticOperator, _ right: Int) throws -> RenderValue {
        switch operation {
        case .add: return try checked(left, { $0.addingReportingOverflow(right) })
        case .subtract: return try checked(left, { $0.subtractingReportingOverflow(right) })
        case .multiply: return try checked(left, { $0.multipliedReportingOverflow(by: right) })
        case .divide: return .double(try doubles(Double(left), .divide, Double(right)))
        case .floorDivide, .remainder:
            guard right != 0 else { throw failure("integer division or modulo by zero") }
            // The one quotient that does not fit.
            if right == -1 { return operation == .remainder ? .int(0) : try checked(0, left.subtractingFromZero) }
            let (quotient, remainder) = left.quotientAndRemainder(dividingBy: right)
            // Python rounds down, Swift towards zero.
            let isBelow = remainder != 0 && (remainder < 0) != (right < 0)
            return .int(operation == .floorDivide ? quotient - (isBelow ? 1 : 0) : remainder + (isBelow ? right : 0))
        case .power: return try power(left, right)
        }
    }

    private func power(_ base: Int, _ exponent: Int) throws -> RenderValue {
        if exponent < 0 { return .double(try doubles(Double(base), .power, Double(exponent))) }
        var result = 1
        var (square, remaining) = (base, exponent)
        while remaining > 0 {
            if remaining & 1 == 1 {
                guard case .int(let product) = try checked(result, { $0.multipliedReportingOverflow(by: square) })
                else { break }
                result = product
            }
            remaining >>= 1
            guard remaining > 0 else { break }
            guard case .int(let next) = try checked(square, { $0.multipliedReportingOverflow(by: square) }) else {
                break
            }
            square = next
        }
        return .int(result)
    }

    private func checked(
        _ left: Int, _ operation: (Int) -> (partialValue: Int, overflow: Bool)
    ) throws -> RenderValue {
        let (value, overflow) = operation(left)
        guard !overflow else { throw failure("integers beyond 64 bits are not supported in arithmetic") }
        return .int(value)
    }

    private func doubles(_ left: Double, _ operation: ArithmeticOperator, _ right: Double) throws -> Double {
        switch operation {
        case .add: return left + right
        case .subtract: return left - right
        case .multiply: return left * right
        case .divide:
            guard right != 0 else { throw failure("division by zero") }
            return left / right
        case .floorDivide, .remainder:
            guard right != 0 else { throw failure("float division or modulo by zero") }
            let remainder = fmod(left, right)
            let isBelow = remainder != 0 && (remainder < 0) != (right < 0)
            if operation == .remainder {
                return remainder == 0 ? copysign(0, right) : remainder + (isBelow ? right : 0)
            }
            return ((left - remainder) / right).rounded() - (isBelow ? 1 : 0)
        case .power:
            if left == 0, right < 0 { throw failure("0.0 cannot be raised to a negative power") }
            if left < 0, right.isFinite, right != right.rounded() {
                throw failure("a negative number cannot be raised to a fractional power here")
            }
            let result = pow(left, right)
            guard result.isFinite || !left.isFinite || !right.isFinite else { throw failure("the result is too large") }
            return result
        }
    }
}

extension Int {
    fileprivate func subtractingFromZero(_ zero: Int) -> (partialValue: Int, overflow: Bool) {
        zero.subtractingReportingOverflow(self)
    }
}
