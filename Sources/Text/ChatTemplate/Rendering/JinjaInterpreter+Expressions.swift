// JinjaInterpreter+Expressions: evaluates expressions.

extension JinjaInterpreter {
    /// The value of an expression. With `caller`, its last call gets that as the argument of this name.
    func evaluate(_ expression: Expression, in scope: RenderScope, caller: RenderValue? = nil) throws -> RenderValue {
        line = expression.line
        switch expression.kind {
        case .none: return .none
        case .bool(let value): return .bool(value)
        case .int(let value): return .int(value)
        case .bigInteger(let digits): return .bigInteger(digits)
        case .double(let value): return .double(value)
        case .string(let text): return .string(text)
        case .variable(let slot, let name): return scope.slots[slot] ?? .undefined(.variable(name))
        default: return try nested { try evaluateCompound(expression.kind, in: scope, caller: caller) }
        }
    }

    private func evaluateCompound(
        _ kind: Expression.Kind, in scope: RenderScope, caller: RenderValue?
    ) throws -> RenderValue {
        switch kind {
        case .chain(let start, let links): return try evaluateChain(start, links, in: scope, caller: caller)
        case .comparison(let first, let rest): return try evaluateComparison(first, rest, in: scope)
        case .arithmetic(let first, let rest): return try evaluateArithmetic(first, rest, in: scope)
        case .concatenation(let operands): return try evaluateConcatenation(operands, in: scope)
        case .all(let operands): return try evaluateLogic(operands, endsAt: false, in: scope)
        case .any(let operands): return try evaluateLogic(operands, endsAt: true, in: scope)
        case .not(let operand): return .bool(!(try evaluate(operand, in: scope).isTruthy))
        case .conditional(let value, let conditions):
            for (test, otherwise) in conditions.reversed() where try !evaluate(test, in: scope).isTruthy {
                return try otherwise.map { try evaluate($0, in: scope) }
                    ?? .undefined(.explained("the condition was false and there is no 'else'"))
            }
            return try evaluate(value, in: scope)
        case .list(let elements): return try budget.list(try evaluateAll(elements, in: scope))
        case .tuple(let elements): return try budget.tuple(try evaluateAll(elements, in: scope))
        case .dict(let members):
            return try budget.dict(
                try members.map { (try evaluate($0.key, in: scope), try evaluate($0.value, in: scope)) })
        case .sign(let isMinus, let operand): return try signed(try evaluate(operand, in: scope), isMinus: isMinus)
        case .none, .bool, .int, .bigInteger, .double, .string, .variable: return .none
        }
    }

    private func evaluateAll(_ expressions: [Expression], in scope: RenderScope) throws -> [RenderValue] {
        var values: [RenderValue] = []
        values.reserveCapacity(expressions.count)
        for expression in expressions { values.append(try evaluate(expression, in: scope)) }
        return values
    }

    /// `and` and `or` give the operand that decided.
    private func evaluateLogic(_ operands: [Expression], endsAt end: Bool, in scope: RenderScope) throws -> RenderValue
    {
        var value = RenderValue.none
        for operand in operands {
            value = try evaluate(operand, in: scope)
            if value.isTruthy == end { break }
        }
        return value
    }

    private func evaluateComparison(
        _ first: Expression, _ rest: [(ComparisonOperator, Expression)], in scope: RenderScope
    ) throws -> RenderValue {
        var left = try evaluate(first, in: scope)
        for (comparison, operand) in rest {
            let right = try evaluate(operand, in: scope)
            guard try holds(left, comparison, right) else { return .bool(false) }
            left = right
        }
        return .bool(true)
    }

    private func evaluateArithmetic(
        _ first: Expression, _ rest: [(ArithmeticOperator, Expression)], in scope: RenderScope
    ) throws -> RenderValue {
        var left = try evaluate(first, in: scope)
        for (operation, operand) in rest {
            let right = try evaluate(operand, in: scope)
            left = try arithmetic(left, operation, right)
        }
        return left
    }

    private func evaluateConcatenation(_ operands: [Expression], in scope: RenderScope) throws -> RenderValue {
        var texts: [String] = []
        for operand in operands { texts.append(try text(of: try evaluate(operand, in: scope))) }
        try budget.allocateString(texts.reduce(0) { $0 + $1.utf8.count })
        return .string(texts.joined())
    }

    // MARK: Chains

    private func evaluateChain(
        _ start: Expression, _ links: [ChainLink], in scope: RenderScope, caller: RenderValue?
    ) throws -> RenderValue {
        var value = try evaluate(start, in: scope)
        var position = 0
        while position < links.count {
            let isLast = position == links.count - 1
            switch links[position] {
            case .attribute(let name, let method):
                // A method that is called at once needs no object of its own.
                if position + 1 < links.count, case .call(let arguments) = links[position + 1], let method,
                    methodAccess(of: value, method) == .allowed
                {
                    let isLastCall = position + 1 == links.count - 1
                    let arguments = try evaluateArguments(arguments, in: scope, caller: isLastCall ? caller : nil)
                    value = try call(method, of: value, arguments)
                    position += 1
                } else {
                    value = try attribute(name, method, of: value)
                }
            case .item(let key): value = try item(try evaluate(key, in: scope), of: value)
            case .slice(let start, let stop, let step):
                let bounds = try [start, stop, step].map { try $0.map { try evaluate($0, in: scope) } }
                value = try slice(value, start: bounds[0], stop: bounds[1], step: bounds[2])
            case .call(let arguments):
                let arguments = try evaluateArguments(arguments, in: scope, caller: isLast ? caller : nil)
                value = try call(value, arguments)
            case .filter(let filter): value = try apply(filter, to: value, in: scope)
            case .test(let test): value = .bool(try passes(value, test, in: scope))
            }
            position += 1
        }
        return value
    }

    private func evaluateArguments(
        _ arguments: CallArguments, in scope: RenderScope, caller: RenderValue? = nil
    ) throws -> RenderArguments {
        var result = RenderArguments()
        result.positional = try evaluateAll(arguments.positional, in: scope)
        for (name, value) in arguments.named { result.named.append((name, try evaluate(value, in: scope))) }
        if let spread = arguments.positionalSpread {
            result.positional += try items(of: try evaluate(spread, in: scope))
        }
        // Functions look at all their strings; this is the one place that every call passes.
        for value in result.positional { if let text = value.text { try budget.scan(text) } }
        for (_, value) in result.named { if let text = value.text { try budget.scan(text) } }
        if let caller { result.named.append((MacroSpecials.caller, caller)) }
        if let spread = arguments.namedSpread { try add(try evaluate(spread, in: scope), toNamed: &result) }
        return result
    }

    private func add(_ value: RenderValue, toNamed arguments: inout RenderArguments) throws {
        guard case .dict(let dict) = value else { throw failure("the argument after ** must be a mapping") }
        var names = Set(arguments.named.map(\.name))
        try budget.allocateValues(dict.keys.count)
        for (key, value) in zip(dict.keys, dict.values) {
            guard let name = key.text else { throw failure("the names of arguments must be strings") }
            guard names.insert(name).inserted else { throw failure("the argument '\(name)' is given twice") }
            arguments.named.append((name, value))
        }
    }

    func apply(_ filter: FilterCall, to value: RenderValue, in scope: RenderScope) throws -> RenderValue {
        try budget.step()
        guard let body = filter.body else {
            line = filter.line
            throw failure(JinjaFilters.unknown(filter.name))
        }
        var reader = ArgumentReader(filter.name, try evaluateArguments(filter.arguments, in: scope))
        line = filter.line
        return try body(self, value, &reader)
    }

    private func passes(_ value: RenderValue, _ test: TestCall, in scope: RenderScope) throws -> Bool {
        try budget.step()
        guard let body = test.body else {
            line = test.line
            throw failure(JinjaTests.unknown(test.name))
        }
        var reader = ArgumentReader(test.name, try evaluateArguments(test.arguments, in: scope))
        line = test.line
        return try body(self, value, &reader) != test.isNegated
    }

    // MARK: Calls

    /// Calls whatever `value` is.
    private func call(_ value: RenderValue, _ arguments: RenderArguments) throws -> RenderValue {
        try budget.step()
        switch value {
        case .undefined(let reason): throw failure(reason.message)
        case .object(let object): return try call(object, arguments)
        default: throw failure("'\(value.typeName)' object is not callable")
        }
    }

    private func call(_ object: RenderObject, _ arguments: RenderArguments) throws -> RenderValue {
        switch object {
        case let macro as RenderMacro: return try call(macro, arguments)
        case let function as RenderFunction:
            var reader = ArgumentReader(function.name, arguments)
            return try function.body(self, &reader)
        case let bound as RenderMethod: return try call(bound.method, of: bound.receiver, arguments)
        case let joiner as RenderJoiner:
            try ArgumentReader("joiner", arguments).finish()
            defer { joiner.wasUsed = true }
            return joiner.wasUsed ? joiner.separator : .emptyString
        case let loop as RenderLoop:
            guard let recursion = loop.recursion else { throw failure("the loop is not marked 'recursive'") }
            var reader = ArgumentReader("loop", arguments)
            let items = try reader.required("iterable")
            try reader.finish()
            return .string(
                try renderRecursiveLoop(
                    recursion.statement, over: items, in: recursion.scope, depth0: recursion.depth0 + 1))
        default: throw failure("'\(object.typeName)' object is not callable")
        }
    }
}
