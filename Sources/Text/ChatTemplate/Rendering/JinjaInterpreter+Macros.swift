// JinjaInterpreter+Macros: calls macros.

extension JinjaInterpreter {
    /// The text a macro renders for these arguments.
    func call(_ macro: RenderMacro, _ arguments: RenderArguments) throws -> RenderValue {
        guard let outer = macro.scope else { throw failure("a macro was called after the rendering") }
        return try nested {
            let scope = try enter(macro.definition.scope, parent: outer)
            try bind(arguments, to: macro.definition, in: scope)
            return .string(try capture { try run(macro.definition.body, in: scope) }.0)
        }
    }

    func bind(_ arguments: RenderArguments, to macro: MacroDefinition, in scope: RenderScope) throws {
        let name = macro.name.map { "macro '\($0)'" } ?? "caller"
        var named = arguments.named
        func takeNamed(_ name: String) throws -> RenderValue? {
            try budget.step(1 + named.count / 8)
            return named.firstIndex { $0.name == name }.map { named.remove(at: $0).value }
        }
        for (position, parameter) in macro.parameters.enumerated() {
            if position < arguments.positional.count {
                scope.slots[parameter.slot] = arguments.positional[position]
            } else {
                scope.slots[parameter.slot] = try takeNamed(parameter.name)
            }
        }
        if let slot = macro.callerSlot {
            scope.slots[slot] = try takeNamed(MacroSpecials.caller) ?? .undefined(.explained("No caller defined"))
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
