// JinjaParser+Statements: tokens to statements.

extension JinjaParser {
    mutating func parseStatement(ends: Set<String>, opener: JinjaToken?) throws -> [Statement] {
        let tag = current
        guard case .name(let name) = tag.kind else { throw failure("expected the name of a tag") }
        advance()
        switch name {
        case "if": return [try parseIf()]
        case "for": return [try parseFor(line: tag.line)]
        case "set": return [try parseSet()]
        case "macro": return [try parseMacro(line: tag.line)]
        case "call": return [try parseCall(line: tag.line)]
        case "filter": return [try parseFilterBlock()]
        case "with": return [try parseWith()]
        case "print": return [try parsePrint()]
        case "generation":
            let (body, scope) = try inScope(.macro) { parser in
                try parser.withoutLoops { try $0.parseBlock(until: ["endgeneration"]).body }
            }
            return [.scoped(body: body, scope: scope)]
        case "autoescape": return [try parseAutoescape()]
        case "break", "continue":
            guard loopDepth > 0 else { throw failure("'\(name)' outside of a loop", line: tag.line) }
            return [name == "break" ? .breakLoop : .continueLoop]
        case "include", "import", "from", "extends":
            while current.kind != .blockEnd, current.kind != .end { advance() }
            return [.unavailable(tag: name, line: tag.line)]
        case "block":
            throw failure("'block' is not supported: a chat template cannot be extended by another", line: tag.line)
        default:
            let wanted = ends.isEmpty ? "" : "; expected \(ends.sorted().map { "'\($0)'" }.joined(separator: " or "))"
            let place = opener.map { " to close \($0.description) of line \($0.line)" } ?? ""
            throw failure("unknown tag '\(name)'\(wanted)\(place)", line: tag.line)
        }
    }

    mutating func parseIf() throws -> Statement {
        scope.softDepth += 1
        defer { scope.softDepth -= 1 }
        var bodies: [ConditionalBody] = []
        while true {
            let test = try parseTuple(withConditional: false)
            let (body, end) = try parseConditionalBlock(until: ["elif", "else", "endif"])
            bodies.append(ConditionalBody(test: test, body: body))
            if end == "elif" { continue }
            let otherwise = end == "else" ? try parseConditionalBlock(until: ["endif"]).body : []
            return .branch(bodies, otherwise: otherwise)
        }
    }

    mutating func parseConditionalBlock(until ends: Set<String>) throws -> (body: [Statement], end: String) {
        scope.conditionalDepth += 1
        defer { scope.conditionalDepth -= 1 }
        return try parseBlock(until: ends)
    }

    mutating func parseFor(line: Int) throws -> Statement {
        let names = try parseTargetNames(allowsNamespace: false, end: "in")
        try names.forEachVariable { name in
            if name == "loop" { throw failure("'loop' cannot be a loop's own variable", line: line) }
        }
        try expect(name: "in")
        let items = try parseTuple(withConditional: false, end: "recursive")
        var filter: LoopFilter?
        if take(name: "if") {
            let ((target, test), filterScope) = try inScope(.block) { parser in
                let target = names.declared { parser.scope.declareParameter($0) }
                return (target, try parser.parseExpression())
            }
            filter = LoopFilter(target: target, test: test, scope: filterScope)
        }
        let isRecursive = take(name: "recursive")

        let ((target, loopSlot, body, end), bodyScope) = try inScope(.loop) { parser in
            let loopSlot = parser.scope.declareParameter("loop")
            let target = names.declared { parser.scope.declareParameter($0) }
            parser.loopDepth += 1
            defer { parser.loopDepth -= 1 }
            let (body, end) = try parser.parseBlock(until: ["else", "endfor"])
            return (target, loopSlot, body, end)
        }
        let (otherwise, otherwiseScope) = try inScope(.block) { parser in
            end == "else" ? try parser.parseBlock(until: ["endfor"]).body : []
        }
        return .loop(
            LoopStatement(
                target: target, items: items, filter: filter, body: body, scope: bodyScope, loopSlot: loopSlot,
                otherwise: otherwise, otherwiseScope: otherwiseScope, isRecursive: isRecursive, line: line))
    }

    mutating func parseSet() throws -> Statement {
        let targetLine = line
        let names = try parseTargetNames(allowsNamespace: true, end: nil)
        let isInsideLoop = scope.isInsideLoop
        try names.forEachVariable { name in
            if name == "loop", isInsideLoop {
                throw failure("'loop' cannot be assigned inside a loop", line: targetLine)
            }
        }
        if take(.assign) {
            let value = try parseTuple()
            let target = storeTarget(names)
            return AppendStatement(target, value).map(Statement.append) ?? .assign(target, value)
        }
        let target = storeTarget(names)
        let ((filters, body), bodyScope) = try inScope(.block) { parser in
            let filters = try parser.parseFilters()
            return (filters, try parser.parseBlock(until: ["endset"]).body)
        }
        return .capture(target, filters: filters, body: body, scope: bodyScope)
    }

    mutating func parseWith() throws -> Statement {
        var bindings: [(TargetNames, Expression)] = []
        while current.kind != .blockEnd, current.kind != .end {
            if !bindings.isEmpty { try expect(.comma) }
            // As in the reference, the values know nothing of the names set beside them.
            let names = try parseTargetNames(allowsNamespace: false, end: nil)
            try expect(.assign)
            bindings.append((names, try parseExpression()))
        }
        let ((targets, body), bodyScope) = try inScope(.block) { parser in
            let targets = bindings.map { names, value in
                (names.declared { parser.scope.declareParameter($0) }, value)
            }
            return (targets, try parser.parseBlock(until: ["endwith"]).body)
        }
        return .with(targets, body: body, scope: bodyScope)
    }

    mutating func parseFilterBlock() throws -> Statement {
        let ((filters, body), bodyScope) = try inScope(.block) { parser in
            let first = try parser.parseFilter()
            let filters = [first] + (try parser.parseFilters())
            return (filters, try parser.parseBlock(until: ["endfilter"]).body)
        }
        return .filtered(filters, body: body, scope: bodyScope)
    }

    mutating func parsePrint() throws -> Statement {
        var values: [Expression] = []
        while current.kind != .blockEnd, current.kind != .end {
            if !values.isEmpty { try expect(.comma) }
            values.append(try parseExpression())
        }
        return .output(values)
    }

    mutating func parseAutoescape() throws -> Statement {
        let isOn = try parseExpression()
        guard case .bool(false) = isOn.kind else {
            throw failure("'autoescape' is only supported with false: a prompt is not HTML", line: isOn.line)
        }
        let (body, bodyScope) = try inScope(.block) { try $0.parseBlock(until: ["endautoescape"]).body }
        return .scoped(body: body, scope: bodyScope)
    }
}

extension AppendStatement {
    /// The assignment of `value` to `target`, if it adds to what is there.
    fileprivate init?(_ target: AssignmentTarget, _ value: Expression) {
        guard case .namespaceAttribute(let slot, let variable, let attribute) = target else { return nil }
        let first: Expression
        switch value.kind {
        case .concatenation(let operands):
            (first, additions, isSum) = (operands[0], Array(operands.dropFirst()), false)
        case .arithmetic(let operand, let rest) where rest.allSatisfy { $0.0 == .add }:
            (first, additions, isSum) = (operand, rest.map(\.1), true)
        default: return nil
        }
        guard case .chain(let start, let links) = first.kind, case .variable(slot, _) = start.kind, links.count == 1,
            case .attribute(attribute, _) = links[0]
        else { return nil }
        (self.slot, self.variable, self.attribute) = (slot, variable, attribute)
    }
}
