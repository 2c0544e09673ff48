// JinjaInterpreter+Statements: renders statements.

extension JinjaInterpreter {
    /// Renders statements in their order, until one leaves the loop's round.
    func run(_ body: [Statement], in scope: RenderScope) throws -> Flow {
        for statement in body {
            if case .text(let text) = statement {
                try write(text)
                continue
            }
            let flow = try nested { try run(statement, in: scope) }
            if flow != .onward { return flow }
        }
        return .onward
    }

    func run(_ statement: Statement, in scope: RenderScope) throws -> Flow {
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
        case .append(let statement): try runAppend(statement, in: scope)
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

    func runBranch(
        _ bodies: [ConditionalBody], otherwise: [Statement], in scope: RenderScope
    ) throws -> Flow {
        for conditional in bodies where try evaluate(conditional.test, in: scope).isTruthy {
            return try run(conditional.body, in: scope)
        }
        return try run(otherwise, in: scope)
    }

    func runAssign(_ target: AssignmentTarget, _ value: Expression, in scope: RenderScope) throws {
        try checkNamespaces(of: target, in: scope)
        try assign(try evaluate(value, in: scope), to: target, in: scope)
    }

    func runAppend(_ statement: AppendStatement, in scope: RenderScope) throws {
        let namespace = try namespace(in: statement.slot, statement.variable, scope)
        let changes = namespace.changes
        var before: RenderValue? = try attribute(statement.attribute, nil, of: .object(namespace))
        var result: RenderValue?
        var added = ""
        for addition in statement.additions {
            let value = try evaluate(addition, in: scope)
            if let sum = result {
                result = try arithmetic(sum, .add, value)
            } else if statement.isSum, before?.isPlainString != true || !value.isPlainString {
                // Numbers, lists and the like.
                let soFar = added.isEmpty ? before ?? .none : try arithmetic(before ?? .none, .add, .string(added))
                result = try arithmetic(soFar, .add, value)
            } else {
                let text = try text(of: value)
                try budget.allocateString(added.utf8.count + text.utf8.count)
                added += text
            }
        }
        if result == nil, before?.isPlainString == true, namespace.changes == changes {
            // No one else may hold the string now, or it would be copied.
            before = nil
            return try namespace.append(added, to: statement.attribute, budget: &budget)
        }
        let value = try result ?? .string(text(of: before ?? .none) + added)
        let target = AssignmentTarget.namespaceAttribute(
            slot: statement.slot, variable: statement.variable, attribute: statement.attribute)
        try assign(value, to: target, in: scope)
    }

    func runCall(_ call: Expression, caller: MacroDefinition, in scope: RenderScope) throws {
        let caller = try makeMacro(caller, in: scope)
        try write(try text(of: try evaluate(call, in: scope, caller: caller)))
    }

    func runWith(
        _ bindings: [(AssignmentTarget, Expression)], _ body: [Statement], scope: Int, parent: RenderScope
    ) throws -> Flow {
        let inner = try enter(scope, parent: parent)
        for (target, value) in bindings { try assign(try evaluate(value, in: parent), to: target, in: inner) }
        return try run(body, in: inner)
    }

    func renderCaptured(
        _ body: [Statement], filters: [FilterCall], scope: Int, parent: RenderScope
    ) throws -> (RenderValue, Flow) {
        let inner = try enter(scope, parent: parent)
        let (text, flow) = try capture { try run(body, in: inner) }
        guard flow == .onward else { return (.none, flow) }
        var value = RenderValue.string(text)
        for filter in filters { value = try apply(filter, to: value, in: inner) }
        return (value, .onward)
    }

    // MARK: Assignment

    /// Assigning to an attribute is refused before the value is looked at, as in the reference.
    func checkNamespaces(of target: AssignmentTarget, in scope: RenderScope) throws {
        switch target {
        case .variable: break
        case .namespaceAttribute(let slot, let variable, _): _ = try namespace(in: slot, variable, scope)
        case .tuple(let targets): for target in targets { try checkNamespaces(of: target, in: scope) }
        }
    }

    func namespace(in slot: Int, _ variable: String, _ scope: RenderScope) throws -> RenderNamespace {
        guard case .object(let object)? = scope.slots[slot], let namespace = object as? RenderNamespace else {
            throw failure("cannot assign to an attribute of '\(variable)', which is no namespace")
        }
        return namespace
    }

    func assign(_ value: RenderValue, to target: AssignmentTarget, in scope: RenderScope) throws {
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
}
