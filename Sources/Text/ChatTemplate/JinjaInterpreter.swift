// JinjaInterpreter: renders a program: its statements. Expressions are evaluated in JinjaInterpreter+Expressions.

/// One rendering of a template.
final class JinjaInterpreter {
    let program: JinjaProgram
    var budget: RenderBudget
    let clock: TemplateClock
    private let context: [RenderValue?]

    /// The line being rendered, for errors.
    var line = 1
    /// Expressions, statements and calls under way.
    private var callNesting = 0

    /// What has been rendered: of the whole, or of the innermost block whose text is captured.
    private(set) var output = ""

    /// Namespaces and macros can hold one another; these let go of all when the rendering ends.
    private var namespaces: [RenderNamespace] = []
    private var macros: [RenderMacro] = []

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

    private func releaseAll() {
        for namespace in namespaces { namespace.removeAll() }
        for macro in macros { macro.scope = nil }
    }

    func failure(_ message: String) -> ChatTemplateError { ChatTemplateError(.evaluation, message) }

    /// A namespace of this rendering.
    func makeNamespace(names: [String], values: [RenderValue]) throws -> RenderValue {
        try budget.allocateValues(names.count * 2 + 8)
        let namespace = RenderNamespace(names: names, values: values)
        namespaces.append(namespace)
        return .object(namespace)
    }

    private func makeMacro(_ definition: MacroDefinition, in scope: RenderScope) throws -> RenderValue {
        try budget.allocateValues(8)
        let macro = RenderMacro(definition: definition, scope: scope)
        macros.append(macro)
        return .object(macro)
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
    private func capture(_ body: () throws -> Flow) throws -> (String, Flow) {
        let outer = output
        output = ""
        defer { output = outer }
        let flow = try body()
        try budget.allocateString(output.utf8.count)
        return (output, flow)
    }

    // MARK: Scopes

    private func enter(_ scope: Int, parent: RenderScope?) throws -> RenderScope {
        let layout = program.scopes[scope]
        try budget.allocateValues(layout.starts.count)
        return RenderScope(layout, parent: parent, context: context)
    }

    // MARK: Statements

    private func run(_ body: [Statement], in scope: RenderScope) throws -> Flow {
        for statement in body {
            let flow: Flow
            if case .text(let text) = statement {
                try write(text)
                continue
            } else {
                flow = try nested { try run(statement, in: scope) }
            }
            if flow != .onward { return flow }
        }
        return .onward
    }

    private func run(_ statement: Statement, in scope: RenderScope) throws -> Flow {
        switch statement {
        case .text(let text): try write(text)
        case .output(let values):
            for value in values { try write(try text(of: try evaluate(value, in: scope))) }
        case .branch(let bodies, let otherwise): return try runBranch(bodies, otherwise: otherwise, in: scope)
        case .loop(let loop):
            guard loop.isRecursive else { return try runLoop(loop, in: scope) }
            let items = try evaluate(loop.items, in: scope)
            try write(try renderRecursiveLoop(loop, over: items, in: scope, depth0: 0))
        case .assign(let target, let value): try runAssign(target, value, in: scope)
        case .capture(let target, let filters, let body, let inner):
            let (value, flow) = try renderCaptured(body, filters: filters, scope: inner, parent: scope)
            guard flow == .onward else { return flow }
            try assign(value, to: target, in: scope)
        case .filtered(let filters, let body, let inner):
            let (value, flow) = try renderCaptured(body, filters: filters, scope: inner, parent: scope)
            guard flow == .onward else { return flow }
            try write(try text(of: value))
        case .macro(let definition, let slot): scope.slots[slot] = try makeMacro(definition, in: scope)
        case .call(let call, let caller): try runCall(call, caller: caller, in: scope)
        case .with(let bindings, let body, let inner): return try runWith(bindings, body, scope: inner, parent: scope)
        case .scoped(let body, let inner): return try run(body, in: enter(inner, parent: scope))
        case .unavailable(let tag, let line):
            self.line = line
            throw failure("'\(tag)' is not available: a chat template stands alone")
        case .breakLoop: return .breakLoop
        case .continueLoop: return .continueLoop
        }
        return .onward
    }

    private func runBranch(
        _ bodies: [ConditionalBody], otherwise: [Statement], in scope: RenderScope
    ) throws -> Flow {
        for conditional in bodies where try evaluate(conditional.test, in: scope).isTruthy {
            return try run(conditional.body, in: scope)
        }
        return try run(otherwise, in: scope)
    }

    private func runAssign(_ target: AssignmentTarget, _ value: Expression, in scope: RenderScope) throws {
        try checkNamespaces(of: target, in: scope)
        try assign(try evaluate(value, in: scope), to: target, in: scope)
    }

    private func runCall(_ call: Expression, caller: MacroDefinition, in scope: RenderScope) throws {
        let caller = try makeMacro(caller, in: scope)
        try write(try text(of: try evaluate(call, in: scope, caller: caller)))
    }

    private func runWith(
        _ bindings: [(AssignmentTarget, Expression)], _ body: [Statement], scope: Int, parent: RenderScope
    ) throws -> Flow {
        let inner = try enter(scope, parent: parent)
        for (target, value) in bindings { try assign(try evaluate(value, in: parent), to: target, in: inner) }
        return try run(body, in: inner)
    }

    private func renderCaptured(
        _ body: [Statement], filters: [FilterCall], scope: Int, parent: RenderScope
    ) throws -> (RenderValue, Flow) {
        let inner = try enter(scope, parent: parent)
        let (text, flow) = try capture { try run(body, in: inner) }
        guard flow == .onward else { return (.none, flow) }
        var value = RenderValue.string(text)
        for filter in filters { value = try apply(filter, to: value, in: inner) }
        return (value, .onward)
    }

    // MARK: Loops

    private func runLoop(_ loop: LoopStatement, in scope: RenderScope) throws -> Flow {
        let items = try evaluate(loop.items, in: scope)
        return try runLoop(loop, over: items, in: scope, recursion: nil)
    }

    /// The text of one level of a recursive loop.
    func renderRecursiveLoop(
        _ loop: LoopStatement, over items: RenderValue, in scope: RenderScope, depth0: Int
    ) throws -> String {
        try nested {
            let recursion = RenderLoop.Recursion(statement: loop, scope: scope, depth0: depth0)
            return try capture { try runLoop(loop, over: items, in: scope, recursion: recursion) }.0
        }
    }

    /// `break` and `continue` of this loop end here; those in its `else` belong to the loop around it.
    private func runLoop(
        _ loop: LoopStatement, over items: RenderValue, in scope: RenderScope, recursion: RenderLoop.Recursion?
    ) throws -> Flow {
        line = loop.line
        let cursor = try cursor(over: items)
        let filter = try loop.filter.map { filter in
            let filterScope = try enter(filter.scope, parent: scope)
            return { (item: RenderValue) throws -> Bool in try self.passes(item, filter, in: filterScope) }
        }
        let state = RenderLoop(cursor, recursion: recursion, filter: filter)
        defer { state.finish() }

        var inner: RenderScope?
        while let item = try state.next() {
            let body = try inner ?? enter(loop.scope, parent: scope)
            if inner != nil { body.restart(program.scopes[loop.scope], context: context) }
            inner = body
            try budget.step(1 + program.scopes[loop.scope].starts.count / 4)
            body.slots[loop.loopSlot] = .object(state)
            try assign(item, to: loop.target, in: body)
            if try run(loop.body, in: body) == .breakLoop { break }
        }
        guard inner == nil, !loop.otherwise.isEmpty else { return .onward }
        return try run(loop.otherwise, in: enter(loop.otherwiseScope, parent: scope))
    }

    private func passes(_ item: RenderValue, _ filter: LoopFilter, in scope: RenderScope) throws -> Bool {
        try budget.step()
        scope.restart(program.scopes[filter.scope], context: context)
        try assign(item, to: filter.target, in: scope)
        return try evaluate(filter.test, in: scope).isTruthy
    }

    // MARK: Assignment

    /// Assigning to an attribute is refused before the value is looked at, as in the reference.
    private func checkNamespaces(of target: AssignmentTarget, in scope: RenderScope) throws {
        switch target {
        case .variable: break
        case .namespaceAttribute(let slot, let variable, _): _ = try namespace(in: slot, variable, scope)
        case .tuple(let targets): for target in targets { try checkNamespaces(of: target, in: scope) }
        }
    }

    private func namespace(in slot: Int, _ variable: String, _ scope: RenderScope) throws -> RenderNamespace {
        guard case .object(let object)? = scope.slots[slot], let namespace = object as? RenderNamespace else {
            throw failure("cannot assign to an attribute of '\(variable)', which is no namespace")
        }
        return namespace
    }

    private func assign(_ value: RenderValue, to target: AssignmentTarget, in scope: RenderScope) throws {
        switch target {
        case .variable(let slot): scope.slots[slot] = value
        case .namespaceAttribute(let slot, let variable, let attribute):
            let namespace = try namespace(in: slot, variable, scope)
            try JinjaFunctions.checkNamespaceName(attribute)
            try budget.step(1 + namespace.names.count / 8)
            if namespace[attribute] == nil { try budget.allocateValues(2) }
            namespace[attribute] = value
        case .tuple(let targets):
            let items = try items(of: value)
            guard items.count == targets.count else {
                let problem = items.count < targets.count ? "not enough" : "too many"
                throw failure("\(problem) values to unpack (expected \(targets.count))")
            }
            for (target, item) in zip(targets, items) { try assign(item, to: target, in: scope) }
        }
    }

    // MARK: Macros

    /// The text a macro renders for these arguments.
    func call(_ macro: RenderMacro, _ arguments: RenderArguments) throws -> RenderValue {
        guard let outer = macro.scope else { throw failure("a macro was called after the rendering") }
        return try nested {
            let scope = try enter(macro.definition.scope, parent: outer)
            try bind(arguments, to: macro.definition, in: scope)
            return .string(try capture { try run(macro.definition.body, in: scope) }.0)
        }
    }

    private func bind(_ arguments: RenderArguments, to macro: MacroDefinition, in scope: RenderScope) throws {
        let name = macro.name.map { "macro '\($0)'" } ?? "caller"
        var named = arguments.named
        func takeNamed(_ name: String) -> RenderValue? {
            named.firstIndex { $0.name == name }.map { named.remove(at: $0).value }
        }
        for (position, parameter) in macro.parameters.enumerated() {
            if position < arguments.positional.count {
                scope.slots[parameter.slot] = arguments.positional[position]
            } else {
                scope.slots[parameter.slot] = takeNamed(parameter.name)
            }
        }
        if let slot = macro.callerSlot {
            scope.slots[slot] = takeNamed(MacroSpecials.caller) ?? .undefined(.explained("No caller defined"))
        }
        if let slot = macro.kwargsSlot {
            scope.slots[slot] = try budget.dict(named.map { (.string($0.name), $0.value) })
        } else if let extra = named.first {
            throw failure("\(name) takes no argument '\(extra.name)'")
        }
        let extra = arguments.positional.dropFirst(macro.parameters.count)
        if let slot = macro.varargsSlot {
            scope.slots[slot] = try budget.tuple(Array(extra))
        } else if !extra.isEmpty {
            throw failure("\(name) takes at most \(macro.parameters.count) arguments")
        }
        for parameter in macro.parameters where scope.slots[parameter.slot] == nil {
            let missing = RenderValue.undefined(.explained("parameter '\(parameter.name)' was not provided"))
            scope.slots[parameter.slot] = try parameter.initial.map { try evaluate($0, in: scope) } ?? missing
        }
    }
}
