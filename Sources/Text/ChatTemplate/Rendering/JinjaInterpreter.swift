// JinjaInterpreter: one rendering of a template: its state. What it does is in the files JinjaInterpreter+….

/// One rendering of a template.
final class JinjaInterpreter {
    let program: JinjaProgram
    var budget: RenderBudget
    let clock: TemplateClock
    let context: [RenderValue?]

    /// The line being rendered, for errors.
    var line = 1
    /// Expressions, statements and calls under way.
    private var callNesting = 0

    /// What has been rendered: of the whole, or of the innermost block whose text is captured.
    var output = ""

    /// Namespaces, macros and loops that have ended can hold one another, in circles or in chains that are too long to
    /// let go of at once; these let go of each when the rendering ends.
    private var namespaces: [RenderNamespace] = []
    private var macros: [RenderMacro] = []
    var loops: [RenderLoop] = []

    /// How a body ended.
    enum Flow {
        case onward, breakLoop, continueLoop
    }

    init(
        program: JinjaProgram, context: [String: JinjaValue], clock: TemplateClock, limits: JinjaLimits
    ) throws {
        self.program = program
        self.clock = clock
        var budget = RenderBudget(limits: limits)
        self.context = try program.contextNames.map { name in
            switch context[name] {
            case nil, .undefined?: JinjaFunctions.named(name).map { .object($0) }
            case let value?: try budget.value(value)
            }
        }
        self.budget = budget
    }

    /// The rendered text.
    func render() throws -> String {
        defer { releaseAll() }
        do {
            _ = try run(program.body, in: enter(0, parent: nil))
            return output
        } catch var error as ChatTemplateError {
            error.line = error.line ?? line
            throw error
        }
    }

    func releaseAll() {
        for namespace in namespaces { namespace.removeAll() }
        for macro in macros { macro.scope = nil }
        for loop in loops { loop.release() }
    }

    func failure(_ message: String) -> ChatTemplateError { ChatTemplateError(.evaluation, message) }

    /// A namespace of this rendering.
    func makeNamespace(names: [String], values: [RenderValue]) throws -> RenderValue {
        try budget.allocateValues(names.count * 2 + 8)
        let namespace = RenderNamespace(names: names, values: values)
        namespaces.append(namespace)
        return .object(namespace)
    }

    func makeMacro(_ definition: MacroDefinition, in scope: RenderScope) throws -> RenderValue {
        try budget.allocateValues(8)
        let macro = RenderMacro(definition: definition, scope: scope)
        macros.append(macro)
        return .object(macro)
    }

    /// A loop over `cursor`'s items that pass `filter`.
    func makeLoop(
        _ cursor: RenderCursor, recursion: RenderLoop.Recursion?, filter: ((RenderValue) throws -> Bool)?
    ) throws -> RenderLoop {
        let loop = RenderLoop(cursor, recursion: recursion, filter: filter)
        if recursion != nil {
            // It holds the scope around it.
            try budget.allocateValues(8)
            loops.append(loop)
        }
        return loop
    }

    /// Counts a level of nesting while `body` runs.
    func nested<Result>(_ body: () throws -> Result) throws -> Result {
        try budget.step()
        callNesting += 1
        defer { callNesting -= 1 }
        guard callNesting <= budget.limits.callNestingMax else {
            throw ChatTemplateError(
                .limit, "more than \(budget.limits.callNestingMax) calls and blocks under way inside one another")
        }
        return try body()
    }

    // MARK: Output

    func write(_ text: String) throws {
        let size = output.utf8.count + text.utf8.count
        guard size <= budget.limits.outputBytesMax else {
            throw ChatTemplateError(.limit, "the template renders more than \(budget.limits.outputBytesMax) bytes")
        }
        try budget.scan(text)
        output += text
    }

    /// The text that `body` renders, and how it ended.
    func capture(_ body: () throws -> Flow) throws -> (String, Flow) {
        let outer = output
        output = ""
        defer { output = outer }
        let flow = try body()
        try budget.allocateString(output.utf8.count)
        return (output, flow)
    }

    // MARK: Scopes

    func enter(_ scope: Int, parent: RenderScope?) throws -> RenderScope {
        let layout = program.scopes[scope]
        try budget.allocateValues(layout.starts.count)
        return RenderScope(layout, parent: parent, context: context)
    }
}
