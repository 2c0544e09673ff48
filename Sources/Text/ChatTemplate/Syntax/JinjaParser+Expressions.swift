// JinjaParser+Expressions: tokens to expressions, with the precedences of Jinja's grammar.

extension JinjaParser {
    /// Expressions with or without commas: a tuple where there are any. `end` is a word that may follow them.
    mutating func parseTuple(
        withConditional: Bool = true, end: String? = nil, inParentheses: Bool = false
    ) throws -> Expression {
        let start = line
        var elements: [Expression] = []
        var isTuple = false
        while !isAtTupleEnd(end) {
            elements.append(withConditional ? try parseExpression() : try parseOr())
            guard take(.comma) else { break }
            isTuple = true
        }
        if !isTuple, let only = elements.first { return only }
        guard isTuple || inParentheses else { throw failure("expected an expression, got \(current.description)") }
        return Expression(line: start, kind: .tuple(elements))
    }

    private func isAtTupleEnd(_ end: String?) -> Bool {
        switch current.kind {
        case .outputEnd, .blockEnd, .symbol(.rightParenthesis): true
        case .name(let name): name == end
        default: false
        }
    }

    /// One expression: `a if test else b`, or what binds tighter.
    mutating func parseExpression() throws -> Expression {
        try nested { try $0.parseConditional() }
    }

    private mutating func parseConditional() throws -> Expression {
        let start = line
        let unknownCallsBefore = unknownCalls.count
        let value = try parseOr()
        var conditions: [(test: Expression, otherwise: Expression?)] = []
        while take(name: "if") {
            let test = try parseOr()
            conditions.append((test, take(name: "else") ? try parseExpression() : nil))
            // What may not be reached may name filters that do not exist.
            unknownCalls.removeLast(unknownCalls.count - unknownCallsBefore)
        }
        return conditions.isEmpty ? value : Expression(line: start, kind: .conditional(value, conditions))
    }

    private mutating func parseOr() throws -> Expression {
        let start = line
        var operands = [try parseAnd()]
        while take(name: "or") { operands.append(try parseAnd()) }
        return operands.count == 1 ? operands[0] : Expression(line: start, kind: .any(operands))
    }

    private mutating func parseAnd() throws -> Expression {
        let start = line
        var operands = [try parseNot()]
        while take(name: "and") { operands.append(try parseNot()) }
        return operands.count == 1 ? operands[0] : Expression(line: start, kind: .all(operands))
    }

    private mutating func parseNot() throws -> Expression {
        let start = line
        if take(name: "not") {
            return Expression(line: start, kind: .not(try nested { try $0.parseNot() }))
        }
        return try parseComparison()
    }

    private mutating func parseComparison() throws -> Expression {
        let start = line
        let first = try parseSum()
        var rest: [(ComparisonOperator, Expression)] = []
        while let comparison = takeComparison() { rest.append((comparison, try parseSum())) }
        return rest.isEmpty ? first : Expression(line: start, kind: .comparison(first, rest))
    }

    private mutating func takeComparison() -> ComparisonOperator? {
        let comparison: ComparisonOperator
        switch current.kind {
        case .symbol(let symbol):
            guard let matching = ComparisonOperator(rawValue: symbol.rawValue) else { return nil }
            comparison = matching
        case .name("in"): comparison = .isIn
        case .name("not") where lookahead.kind == .name("in"):
            advance()
            comparison = .isNotIn
        default: return nil
        }
        advance()
        return comparison
    }

    private mutating func parseSum() throws -> Expression {
        let start = line
        let first = try parseConcatenation()
        var rest: [(ArithmeticOperator, Expression)] = []
        while let operation = takeArithmetic([.add, .subtract]) { rest.append((operation, try parseConcatenation())) }
        return rest.isEmpty ? first : Expression(line: start, kind: .arithmetic(first, rest))
    }

    private mutating func parseConcatenation() throws -> Expression {
        let start = line
        var operands = [try parseProduct()]
        while take(.tilde) { operands.append(try parseProduct()) }
        return operands.count == 1 ? operands[0] : Expression(line: start, kind: .concatenation(operands))
    }

    private mutating func parseProduct() throws -> Expression {
        let start = line
        let first = try parsePower()
        var rest: [(ArithmeticOperator, Expression)] = []
        while let operation = takeArithmetic([.multiply, .divide, .floorDivide, .remainder]) {
            rest.append((operation, try parsePower()))
        }
        return rest.isEmpty ? first : Expression(line: start, kind: .arithmetic(first, rest))
    }

    private mutating func parsePower() throws -> Expression {
        let start = line
        let first = try parseUnary()
        // Left to right, unlike Python's own: so is the reference.
        var rest: [(ArithmeticOperator, Expression)] = []
        while let operation = takeArithmetic([.power]) { rest.append((operation, try parseUnary())) }
        return rest.isEmpty ? first : Expression(line: start, kind: .arithmetic(first, rest))
    }

    private mutating func takeArithmetic(_ operators: [ArithmeticOperator]) -> ArithmeticOperator? {
        guard case .symbol(let symbol) = current.kind,
            let operation = operators.first(where: { $0.rawValue == symbol.rawValue })
        else { return nil }
        advance()
        return operation
    }

    /// A sign binds tighter than a filter: `-x|abs` filters the negative.
    private mutating func parseUnary(withFilters: Bool = true) throws -> Expression {
        let start = line
        let isMinus = isAt(.subtract)
        let operand: Expression
        if isMinus || isAt(.add) {
            advance()
            let value = try nested { try $0.parseUnary(withFilters: false) }
            operand = Expression(line: start, kind: .sign(isMinus: isMinus, value))
        } else {
            operand = try parsePrimary()
        }
        var links = try parsePostfixes()
        if withFilters { links += try parseFiltersAndTests() }
        return links.isEmpty ? operand : Expression(line: start, kind: .chain(operand, links))
    }

    private mutating func parsePrimary() throws -> Expression {
        let token = current
        func made(_ kind: Expression.Kind) -> Expression { Expression(line: token.line, kind: kind) }
        switch token.kind {
        case .name(let name):
            advance()
            switch name {
            case "true", "True": return made(.bool(true))
            case "false", "False": return made(.bool(false))
            case "none", "None": return made(.none)
            default: return made(.variable(slot: scope.load(name), name: name))
            }
        case .string(var text):
            advance()
            while case .string(let more) = current.kind {
                text += more
                advance()
            }
            return made(.string(text))
        case .int(let value):
            advance()
            return made(.int(value))
        case .bigInteger(let digits):
            advance()
            return made(.bigInteger(digits))
        case .double(let value):
            advance()
            return made(.double(value))
        case .symbol(.leftParenthesis):
            advance()
            let value = try parseTuple(inParentheses: true)
            try expect(.rightParenthesis)
            return value
        case .symbol(.leftBracket): return made(.list(try parseListElements()))
        case .symbol(.leftBrace): return made(.dict(try parseDictMembers()))
        default: throw failure("unexpected \(token.description)")
        }
    }

    private mutating func parseListElements() throws -> [Expression] {
        try expect(.leftBracket)
        var elements: [Expression] = []
        while !isAt(.rightBracket) {
            elements.append(try parseExpression())
            if !take(.comma) { break }
        }
        try expect(.rightBracket)
        return elements
    }

    private mutating func parseDictMembers() throws -> [(key: Expression, value: Expression)] {
        try expect(.leftBrace)
        var members: [(key: Expression, value: Expression)] = []
        while !isAt(.rightBrace) {
            let key = try parseExpression()
            try expect(.colon)
            members.append((key, try parseExpression()))
            if !take(.comma) { break }
        }
        try expect(.rightBrace)
        return members
    }

    // MARK: What follows a value

    private mutating func parsePostfixes() throws -> [ChainLink] {
        var links: [ChainLink] = []
        while true {
            if take(.dot) {
                links.append(try parseMember())
            } else if isAt(.leftBracket) {
                links.append(try parseSubscript())
            } else if isAt(.leftParenthesis) {
                links.append(.call(try parseArguments()))
            } else {
                return links
            }
        }
    }

    private mutating func parseMember() throws -> ChainLink {
        let token = current
        advance()
        switch token.kind {
        case .name(let name): return .attribute(name, method: PythonMethod.named(name))
        case .int(let index): return .item(Expression(line: token.line, kind: .int(index)))
        default: throw failure("expected a name or number after '.', got \(token.description)", line: token.line)
        }
    }

    private mutating func parseSubscript() throws -> ChainLink {
        let start = line
        try expect(.leftBracket)
        let isSlice = isAt(.colon)
        let first = isSlice ? nil : try parseExpression()
        if isAt(.colon) {
            advance()
            let stop = isAt(.colon) || isAt(.rightBracket) ? nil : try parseExpression()
            let step = take(.colon) && !isAt(.rightBracket) ? try parseExpression() : nil
            if isAt(.comma) { throw failure("a slice cannot stand among several subscripts") }
            try expect(.rightBracket)
            return .slice(start: first, stop: stop, step: step)
        }
        guard let first else { throw failure("expected a subscript") }
        guard isAt(.comma) else {
            try expect(.rightBracket)
            return .item(first)
        }
        var elements = [first]
        while take(.comma) { elements.append(try parseExpression()) }
        try expect(.rightBracket)
        return .item(Expression(line: start, kind: .tuple(elements)))
    }

    private mutating func parseArguments() throws -> CallArguments {
        let start = line
        try expect(.leftParenthesis)
        var arguments = CallArguments()
        func check(_ isAllowed: Bool) throws {
            guard isAllowed else { throw failure("the arguments of a call are in the wrong order", line: start) }
        }
        while !isAt(.rightParenthesis) {
            if take(.multiply) {
                try check(arguments.positionalSpread == nil && arguments.namedSpread == nil)
                arguments.positionalSpread = try parseExpression()
            } else if take(.power) {
                try check(arguments.namedSpread == nil)
                arguments.namedSpread = try parseExpression()
            } else if case .name(let name) = current.kind, lookahead.kind == .symbol(.assign) {
                try check(arguments.namedSpread == nil)
                advance()
                advance()
                guard !arguments.named.contains(where: { $0.name == name }) else {
                    throw failure("the argument '\(name)' is given twice", line: start)
                }
                arguments.named.append((name, try parseExpression()))
            } else {
                try check(
                    arguments.named.isEmpty && arguments.positionalSpread == nil && arguments.namedSpread == nil)
                arguments.positional.append(try parseExpression())
            }
            if !isAt(.rightParenthesis) { try expect(.comma) }
        }
        try expect(.rightParenthesis)
        return arguments
    }

    private mutating func parseFiltersAndTests() throws -> [ChainLink] {
        var links: [ChainLink] = []
        while true {
            if isAt(.pipe) {
                links += try parseFilters().map(ChainLink.filter)
            } else if take(name: "is") {
                links.append(.test(try parseTest()))
            } else if isAt(.leftParenthesis) {
                links.append(.call(try parseArguments()))
            } else {
                return links
            }
        }
    }

    /// Any number of `|name(…)`.
    mutating func parseFilters() throws -> [FilterCall] {
        var filters: [FilterCall] = []
        while take(.pipe) { filters.append(try parseFilter()) }
        return filters
    }

    /// A filter's name and arguments.
    mutating func parseFilter() throws -> FilterCall {
        let start = line
        let name = try parseDottedName()
        let arguments = isAt(.leftParenthesis) ? try parseArguments() : CallArguments()
        let body = JinjaFilters.named(name)
        if body == nil { noteUnknown(JinjaFilters.unknown(name), line: start) }
        return FilterCall(name: name, body: body, arguments: arguments, line: start)
    }

    private mutating func parseTest() throws -> TestCall {
        let start = line
        let isNegated = take(name: "not")
        let name = try parseDottedName()
        var arguments = CallArguments()
        switch current.kind {
        case .symbol(.leftParenthesis): arguments = try parseArguments()
        case .name("else"), .name("or"), .name("and"): break
        case .name("is"): throw failure("tests cannot be chained with 'is'")
        case .name, .string, .int, .bigInteger, .double, .symbol(.leftBracket), .symbol(.leftBrace):
            // One argument may come without parentheses.
            let argumentLine = line
            let operand = try parsePrimary()
            let links = try parsePostfixes()
            let argument = links.isEmpty ? operand : Expression(line: argumentLine, kind: .chain(operand, links))
            arguments.positional = [argument]
        default: break
        }
        let body = JinjaTests.named(name)
        if body == nil { noteUnknown(JinjaTests.unknown(name), line: start) }
        return TestCall(name: name, body: body, arguments: arguments, isNegated: isNegated, line: start)
    }

    private mutating func parseDottedName() throws -> String {
        var name = try expectName()
        while take(.dot) { name += "." + (try expectName()) }
        return name
    }

    private mutating func noteUnknown(_ message: String, line: Int) {
        guard scope.softDepth == 0 else { return }
        unknownCalls.append(ChatTemplateError(.syntax, message, line: line))
    }
}
