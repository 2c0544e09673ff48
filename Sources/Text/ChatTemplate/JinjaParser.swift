// JinjaParser: tokens to statements. Expressions are read in JinjaParser+Expressions.

/// Reads a template's tokens into a program.
struct JinjaParser {
    private let tokens: [JinjaToken]
    private var position = 0
    let limits: JinjaLimits
    private var nesting = 0

    var scope: ScopeBuilder
    private var scopes: [ScopeBuilder]
    /// Loops around here that `break` and `continue` can mean: none inside a macro.
    private var loopDepth = 0
    /// Filters and tests that do not exist, in places where that is an error whether or not they are reached.
    var unknownCalls: [ChatTemplateError] = []

    /// The program of a template's source.
    static func program(of source: String, limits: JinjaLimits) throws -> JinjaProgram {
        guard source.utf8.count <= limits.sourceBytesMax else {
            let size = source.utf8.count
            throw ChatTemplateError(.limit, "the chat template has \(size) bytes; the most is \(limits.sourceBytesMax)")
        }
        var parser = JinjaParser(tokens: try JinjaLexer.tokens(of: source), limits: limits)
        return try parser.parseProgram()
    }

    private init(tokens: [JinjaToken], limits: JinjaLimits) {
        self.tokens = tokens
        self.limits = limits
        scope = ScopeBuilder(.template, parent: nil)
        scopes = [scope]
    }

    private mutating func parseProgram() throws -> JinjaProgram {
        let body = try parseBody(until: [], of: nil)
        if let unknown = unknownCalls.first { throw unknown }
        var contextNames: [String] = []
        var indices: [String: Int] = [:]
        let layouts = scopes.map { scope in
            scope.layout { name in
                if let index = indices[name] { return index }
                indices[name] = contextNames.count
                contextNames.append(name)
                return contextNames.count - 1
            }
        }
        return JinjaProgram(body: body, scopes: layouts, contextNames: contextNames)
    }

    // MARK: Tokens

    var current: JinjaToken { tokens[position] }
    var line: Int { current.line }

    /// The token after the current one.
    var lookahead: JinjaToken { tokens[min(position + 1, tokens.count - 1)] }

    mutating func advance() { if position + 1 < tokens.count { position += 1 } }

    func failure(_ message: String, line: Int? = nil) -> ChatTemplateError {
        ChatTemplateError(.syntax, message, line: line ?? self.line)
    }

    func isAt(_ symbol: JinjaToken.Symbol) -> Bool { current.kind == .symbol(symbol) }
    func isAt(name: String) -> Bool { current.kind == .name(name) }

    mutating func take(_ symbol: JinjaToken.Symbol) -> Bool {
        guard isAt(symbol) else { return false }
        advance()
        return true
    }

    mutating func take(name: String) -> Bool {
        guard isAt(name: name) else { return false }
        advance()
        return true
    }

    mutating func expect(_ symbol: JinjaToken.Symbol) throws {
        guard take(symbol) else { throw failure("expected '\(symbol.rawValue)', got \(current.description)") }
    }

    mutating func expect(name: String) throws {
        guard take(name: name) else { throw failure("expected '\(name)', got \(current.description)") }
    }

    mutating func expectName() throws -> String {
        guard case .name(let name) = current.kind else { throw failure("expected a name, got \(current.description)") }
        advance()
        return name
    }

    private mutating func expect(_ kind: JinjaToken.Kind, _ description: String) throws {
        guard current.kind == kind else { throw failure("expected \(description), got \(current.description)") }
        advance()
    }

    /// Counts a level of nesting while `read` runs.
    mutating func nested<Result>(_ read: (inout Self) throws -> Result) throws -> Result {
        nesting += 1
        defer { nesting -= 1 }
        guard nesting <= limits.sourceNestingMax else {
            let message = "more than \(limits.sourceNestingMax) statements or brackets inside one another"
            throw ChatTemplateError(.limit, message, line: line)
        }
        return try read(&self)
    }

    // MARK: Scopes

    /// Runs `read` in a new scope and gives its result and the scope's index.
    private mutating func inScope<Result>(
        _ kind: ScopeBuilder.Kind, _ read: (inout Self) throws -> Result
    ) throws -> (Result, Int) {
        let outer = scope
        scope = ScopeBuilder(kind, parent: outer)
        let index = scopes.count
        scopes.append(scope)
        defer { scope = outer }
        return (try read(&self), index)
    }

    // MARK: Bodies

    /// Statements up to one of the tags `ends`, which is left as the current token.
    private mutating func parseBody(until ends: Set<String>, of opener: JinjaToken?) throws -> [Statement] {
        var body: [Statement] = []
        while true {
            switch current.kind {
            case .text(let text):
                body.append(.text(text))
                advance()
            case .outputBegin:
                advance()
                body.append(.output([try parseTuple()]))
                try expect(.outputEnd, "'}}'")
            case .blockBegin:
                advance()
                if case .name(let name) = current.kind, ends.contains(name) { return body }
                body += try nested { try $0.parseStatement(ends: ends, opener: opener) }
                try expect(.blockEnd, "'%}'")
            default:
                guard let opener else { return body }
                throw failure("\(opener.description) is not closed", line: opener.line)
            }
        }
    }

    /// The rest of an opening tag, the body, and the closing tag's name, which is consumed.
    private mutating func parseBlock(until ends: String...) throws -> (body: [Statement], end: String) {
        let opener = blockOpener
        _ = take(.colon)
        try expect(.blockEnd, "'%}'")
        let body = try parseBody(until: Set(ends), of: opener)
        return (body, try expectName())
    }

    /// The name of the tag being read.
    private var blockOpener: JinjaToken {
        var start = position
        while start > 0, tokens[start - 1].kind != .blockBegin { start -= 1 }
        return tokens[start]
    }

    // MARK: Statements

    private mutating func parseStatement(ends: Set<String>, opener: JinjaToken?) throws -> [Statement] {
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
                try parser.withoutLoops { try $0.parseBlock(until: "endgeneration").body }
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

    private mutating func parseIf() throws -> Statement {
        scope.softDepth += 1
        defer { scope.softDepth -= 1 }
        var bodies: [ConditionalBody] = []
        while true {
            let test = try parseTuple(withConditional: false)
            let (body, end) = try parseConditionalBlock(until: "elif", "else", "endif")
            bodies.append(ConditionalBody(test: test, body: body))
            if end == "elif" { continue }
            let otherwise = end == "else" ? try parseConditionalBlock(until: "endif").body : []
            return .branch(bodies, otherwise: otherwise)
        }
    }

    private mutating func parseConditionalBlock(until ends: String...) throws -> (body: [Statement], end: String) {
        scope.conditionalDepth += 1
        defer { scope.conditionalDepth -= 1 }
        let opener = blockOpener
        _ = take(.colon)
        try expect(.blockEnd, "'%}'")
        let body = try parseBody(until: Set(ends), of: opener)
        return (body, try expectName())
    }

    private mutating func parseFor(line: Int) throws -> Statement {
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
            let (body, end) = try parser.parseBlock(until: "else", "endfor")
            return (target, loopSlot, body, end)
        }
        let (otherwise, otherwiseScope) = try inScope(.block) { parser in
            end == "else" ? try parser.parseBlock(until: "endfor").body : []
        }
        return .loop(
            LoopStatement(
                target: target, items: items, filter: filter, body: body, scope: bodyScope, loopSlot: loopSlot,
                otherwise: otherwise, otherwiseScope: otherwiseScope, isRecursive: isRecursive, line: line))
    }

    private mutating func parseSet() throws -> Statement {
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
            return .assign(storeTarget(names), value)
        }
        let target = storeTarget(names)
        let ((filters, body), bodyScope) = try inScope(.block) { parser in
            let filters = try parser.parseFilters()
            return (filters, try parser.parseBlock(until: "endset").body)
        }
        return .capture(target, filters: filters, body: body, scope: bodyScope)
    }

    private mutating func parseWith() throws -> Statement {
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
            return (targets, try parser.parseBlock(until: "endwith").body)
        }
        return .with(targets, body: body, scope: bodyScope)
    }

    private mutating func parseFilterBlock() throws -> Statement {
        let ((filters, body), bodyScope) = try inScope(.block) { parser in
            let first = try parser.parseFilter()
            let filters = [first] + (try parser.parseFilters())
            return (filters, try parser.parseBlock(until: "endfilter").body)
        }
        return .filtered(filters, body: body, scope: bodyScope)
    }

    private mutating func parsePrint() throws -> Statement {
        var values: [Expression] = []
        while current.kind != .blockEnd, current.kind != .end {
            if !values.isEmpty { try expect(.comma) }
            values.append(try parseExpression())
        }
        return .output(values)
    }

    private mutating func parseAutoescape() throws -> Statement {
        let isOn = try parseExpression()
        guard case .bool(false) = isOn.kind else {
            throw failure("'autoescape' is only supported with false: a prompt is not HTML", line: isOn.line)
        }
        let (body, bodyScope) = try inScope(.block) { try $0.parseBlock(until: "endautoescape").body }
        return .scoped(body: body, scope: bodyScope)
    }

    // MARK: Macros

    private mutating func withoutLoops<Result>(_ read: (inout Self) throws -> Result) throws -> Result {
        let outerLoopDepth = loopDepth
        loopDepth = 0
        defer { loopDepth = outerLoopDepth }
        return try read(&self)
    }

    private mutating func parseMacro(line: Int) throws -> Statement {
        let name = try expectName()
        let slot = scope.store(name)
        guard isAt(.leftParenthesis) else { throw failure("expected '(' after the macro's name") }
        return .macro(try parseMacroDefinition(name: name, end: "endmacro", line: line), slot: slot)
    }

    private mutating func parseCall(line: Int) throws -> Statement {
        // The call stands between the parameters and the body, but its names belong outside.
        let outer = scope
        var call: Expression?
        let caller = try parseMacroDefinition(name: nil, end: "endcall", line: line) { parser in
            let inner = parser.scope
            parser.scope = outer
            defer { parser.scope = inner }
            let expression = try parser.parseExpression()
            guard case .chain(_, let links) = expression.kind, case .call? = links.last else {
                throw parser.failure("expected a call after 'call'", line: line)
            }
            call = expression
        }
        guard let call else { throw failure("expected a call after 'call'", line: line) }
        return .call(call, caller: caller)
    }

    private mutating func parseMacroDefinition(
        name: String?, end: String, line: Int, beforeBody: (inout Self) throws -> Void = { _ in }
    ) throws -> MacroDefinition {
        let ((parameters, body, specials), bodyScope) = try inScope(.macro) { parser in
            try parser.withoutLoops { parser in
                let parameters = parser.isAt(.leftParenthesis) ? try parser.parseParameters() : []
                try beforeBody(&parser)
                let body = try parser.parseBlock(until: end).body
                let scope = parser.scope
                let specials = [MacroSpecials.caller, MacroSpecials.varargs, MacroSpecials.kwargs].map { special in
                    parameters.contains { $0.name == special } ? nil : scope.parameterSlot(special)
                }
                return (parameters, body, specials)
            }
        }
        if let caller = parameters.first(where: { $0.name == MacroSpecials.caller }), caller.initial == nil {
            throw failure("a macro's parameter 'caller' needs a default", line: line)
        }
        return MacroDefinition(
            name: name, parameters: parameters, body: body, scope: bodyScope, callerSlot: specials[0],
            varargsSlot: specials[1], kwargsSlot: specials[2], line: line)
    }

    private mutating func parseParameters() throws -> [MacroParameter] {
        var parameters: [MacroParameter] = []
        try expect(.leftParenthesis)
        while !isAt(.rightParenthesis) {
            if !parameters.isEmpty { try expect(.comma) }
            let name = try expectName()
            let slot = scope.declareParameter(name)
            var initial: Expression?
            if take(.assign) {
                initial = try parseExpression()
            } else if parameters.last?.initial != nil {
                throw failure("a parameter without a default follows one with a default")
            }
            parameters.append(MacroParameter(name: name, slot: slot, initial: initial))
        }
        try expect(.rightParenthesis)
        return parameters
    }

    // MARK: Targets

    /// What an assignment writes to, before it is known where the names live.
    private indirect enum TargetNames {
        case variable(String)
        case namespaceAttribute(String, String)
        case tuple([TargetNames])

        func forEachVariable(_ body: (String) throws -> Void) rethrows {
            switch self {
            case .variable(let name): try body(name)
            case .namespaceAttribute: break
            case .tuple(let names): for name in names { try name.forEachVariable(body) }
            }
        }

        /// The target with slots, for names only.
        func declared(_ slot: (String) -> Int) -> AssignmentTarget {
            switch self {
            case .variable(let name): .variable(slot: slot(name))
            case .namespaceAttribute(let name, let attribute):
                .namespaceAttribute(slot: slot(name), variable: name, attribute: attribute)
            case .tuple(let names): .tuple(names.map { $0.declared(slot) })
            }
        }
    }

    private func storeTarget(_ names: TargetNames) -> AssignmentTarget {
        switch names {
        case .variable(let name): .variable(slot: scope.store(name))
        case .namespaceAttribute(let name, let attribute):
            .namespaceAttribute(slot: scope.load(name), variable: name, attribute: attribute)
        case .tuple(let names): .tuple(names.map(storeTarget))
        }
    }

    /// Names to assign to, with or without commas or brackets; `end` is the word that follows them.
    private mutating func parseTargetNames(allowsNamespace: Bool, end: String?) throws -> TargetNames {
        var targets: [TargetNames] = []
        while true {
            if case .blockEnd = current.kind { break }
            if isAt(.rightParenthesis) || isAt(.assign) || end.map({ isAt(name: $0) }) ?? false { break }
            targets.append(try parseTargetName(allowsNamespace: allowsNamespace))
            guard take(.comma) else {
                if targets.count == 1 { return targets[0] }
                break
            }
        }
        guard !targets.isEmpty else { throw failure("expected a name to assign to, got \(current.description)") }
        return .tuple(targets)
    }

    private mutating func parseTargetName(allowsNamespace: Bool) throws -> TargetNames {
        if take(.leftParenthesis) {
            let names = try nested { try $0.parseTargetNames(allowsNamespace: allowsNamespace, end: nil) }
            try expect(.rightParenthesis)
            return names
        }
        let nameLine = line
        let name = try expectName()
        if ["true", "false", "none", "True", "False", "None"].contains(name) {
            throw failure("cannot assign to '\(name)'", line: nameLine)
        }
        if allowsNamespace, take(.dot) { return .namespaceAttribute(name, try expectName()) }
        return .variable(name)
    }
}
