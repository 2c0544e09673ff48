// JinjaScope: gives every name in a template its slot while it is parsed, by the rules of Jinja's compiler.
//
// A name belongs to the innermost scope that mentions it. Entering a scope copies what the name means further out:
// the nearest enclosing scope that mentions it, or else the caller's variable. Assigning changes the scope's own slot,
// so a loop's body cannot change what is outside, and starts every round anew. `if` has no scope of its own.

/// The scope being parsed. Slots are given at once; how they start is known when the whole template has been read.
final class ScopeBuilder {
    enum Kind {
        case template, block, loop, macro
    }

    private struct Variable {
        let name: String
        var isParameter = false
        /// Assigned before any reading and not under an `if`, so that nothing shows through from further out.
        var startsMissing = false
    }

    let kind: Kind
    let parent: ScopeBuilder?
    private var variables: [Variable] = []
    private var slots: [String: Int] = [:]

    /// How many `if` bodies of this scope are open.
    var conditionalDepth = 0
    /// How many `if` statements of this scope are open, their tests included: an unknown filter in them is an error
    /// only when it is reached.
    var softDepth = 0

    init(_ kind: Kind, parent: ScopeBuilder?) {
        self.kind = kind
        self.parent = parent
    }

    /// The slot of a name that is read.
    func load(_ name: String) -> Int {
        if MacroSpecials.names.contains(name) { declareMacroSpecial(name) }
        return slot(of: name) { Variable(name: name) }
    }

    /// The slot of a name that is assigned.
    func store(_ name: String) -> Int {
        slot(of: name) { Variable(name: name, startsMissing: conditionalDepth == 0) }
    }

    /// The slot of a name that is set on entry.
    func declareParameter(_ name: String) -> Int {
        let slot = slot(of: name) { Variable(name: name) }
        variables[slot].isParameter = true
        return slot
    }

    /// The slot of a parameter, nil if there is none of this name.
    func parameterSlot(_ name: String) -> Int? {
        slots[name].flatMap { variables[$0].isParameter ? $0 : nil }
    }

    private func slot(of name: String, _ makeVariable: () -> Variable) -> Int {
        if let slot = slots[name] { return slot }
        slots[name] = variables.count
        variables.append(makeVariable())
        return variables.count - 1
    }

    /// `caller`, `varargs` and `kwargs` are parameters of every macro around that mentions them and did not set them.
    private func declareMacroSpecial(_ name: String) {
        var scope: ScopeBuilder? = self
        while let current = scope {
            if current.kind == .macro, current.slots[name] == nil { _ = current.declareParameter(name) }
            if let slot = current.slots[name], current.kind != .macro, current.variables[slot].isParameter { return }
            scope = current.parent
        }
    }

    /// Whether a `for` is open around here.
    var isInsideLoop: Bool {
        var scope: ScopeBuilder? = self
        while let current = scope {
            if current.kind == .loop { return true }
            scope = current.parent
        }
        return false
    }

    /// The layout, once the whole template has been read. `contextIndex` numbers the caller's variables.
    func layout(contextIndex: (String) -> Int) -> ScopeLayout {
        ScopeLayout(
            starts: variables.map { variable in
                if variable.isParameter { return .parameter }
                var hops = 1
                var scope = parent
                while let current = scope {
                    if let slot = current.slots[variable.name] { return .outer(hops: hops, slot: slot) }
                    hops += 1
                    scope = current.parent
                }
                return variable.startsMissing ? .missing : .context(contextIndex(variable.name))
            })
    }
}

/// The names a macro gets without declaring them.
enum MacroSpecials {
    static let caller = "caller"
    static let varargs = "varargs"
    static let kwargs = "kwargs"
    static let names: Set<String> = [caller, varargs, kwargs]
}
