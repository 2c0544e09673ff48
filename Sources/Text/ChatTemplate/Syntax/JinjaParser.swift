// JinjaParser: reads the tokens of a template. What they mean is in the files JinjaParser+….

/// Reads a template's tokens into a program.
struct JinjaParser {
    private let tokens: [JinjaToken]
    private var position = 0
    let limits: JinjaLimits
    private var nesting = 0

    var scope: ScopeBuilder
    private var scopes: [ScopeBuilder]
    /// Loops around here that `break` and `continue` can mean: none inside a macro.
    var loopDepth = 0
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

    mutating func parseProgram() throws -> JinjaProgram {
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

    mutating func expect(_ kind: JinjaToken.Kind, _ description: String) throws {
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
    mutating func inScope<Result>(
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
    mutating func parseBody(until ends: Set<String>, of opener: JinjaToken?) throws -> [Statement] {
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
    mutating func parseBlock(until ends: Set<String>) throws -> (body: [Statement], end: String) {
        let opener = blockOpener
        _ = take(.colon)
        try expect(.blockEnd, "'%}'")
        let body = try parseBody(until: ends, of: opener)
        return (body, try expectName())
    }

    /// The name of the tag being read.
    var blockOpener: JinjaToken {
        var start = position
        while start > 0, tokens[start - 1].kind != .blockBegin { start -= 1 }
        return tokens[start]
    }
}
