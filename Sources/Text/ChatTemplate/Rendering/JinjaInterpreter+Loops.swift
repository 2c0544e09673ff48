// JinjaInterpreter+Loops: renders `for`.

extension JinjaInterpreter {
    func runLoop(_ loop: LoopStatement, in scope: RenderScope) throws -> Flow {
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
    func runLoop(
        _ loop: LoopStatement, over items: RenderValue, in scope: RenderScope, recursion: RenderLoop.Recursion?
    ) throws -> Flow {
        line = loop.line
        let cursor = try cursor(over: items)
        let filter = try loop.filter.map { filter in
            let filterScope = try enter(filter.scope, parent: scope)
            return { (item: RenderValue) throws -> Bool in try self.passes(item, filter, in: filterScope) }
        }
        let state = try makeLoop(cursor, recursion: recursion, filter: filter)
        defer { state.finish() }

        var inner: RenderScope?
        // As in the reference, only a round that was not left early keeps `else` from being rendered.
        var hasFullRound = false
        while let item = try state.next() {
            let body = try inner ?? enter(loop.scope, parent: scope)
            if inner != nil { body.restart(program.scopes[loop.scope], context: context) }
            inner = body
            try budget.step(1 + program.scopes[loop.scope].starts.count / 4)
            body.slots[loop.loopSlot] = .object(state)
            try assign(item, to: loop.target, in: body)
            let flow = try run(loop.body, in: body)
            if flow == .breakLoop { break }
            if flow == .onward { hasFullRound = true }
        }
        guard !hasFullRound, !loop.otherwise.isEmpty else { return .onward }
        return try run(loop.otherwise, in: enter(loop.otherwiseScope, parent: scope))
    }

    func passes(_ item: RenderValue, _ filter: LoopFilter, in scope: RenderScope) throws -> Bool {
        try budget.step()
        scope.restart(program.scopes[filter.scope], context: context)
        try assign(item, to: filter.target, in: scope)
        return try evaluate(filter.test, in: scope).isTruthy
    }
}
