// RenderObject: values that live only while a template renders: namespaces, loops, macros, functions, iterators.

/// A value that lives only during a rendering. Compared by identity.
class RenderObject {
    /// The name of the Python type that stands for it in the reference.
    var typeName: String { "object" }
    var isTruthy: Bool { true }
    /// Levels of containers that letting go of this object may let go of; see `RenderBudget.nesting(of:)`.
    var nesting: Int { 0 }
    /// What printing the object shows.
    var summary: String { "<\(typeName) object>" }
    var isCallable: Bool { false }
}

/// `namespace(…)`: the only place a template can write to from inside a loop.
///
/// The interpreter empties all namespaces when a rendering ends, so they may hold each other.
final class RenderNamespace: RenderObject {
    private(set) var names: [String]
    private(set) var values: [RenderValue]
    /// How often something was assigned.
    private(set) var changes = 0

    init(names: [String], values: [RenderValue]) {
        self.names = names
        self.values = values
    }

    override var typeName: String { "Namespace" }

    /// Adds to the string under `name`, in place where no one else holds it.
    func append(_ text: String, to name: String, budget: inout RenderBudget) throws {
        guard let position = names.firstIndex(where: { PythonText.equal($0, name) }),
            case .string(var whole) = values[position]
        else { return }
        values[position] = .none
        // Twice the addition, as a string that grows keeps room to grow.
        try budget.allocateString(whole.utf8.count + text.utf8.count, counting: 2 * text.utf8.count)
        whole += text
        values[position] = .string(whole)
        changes += 1
    }

    subscript(name: String) -> RenderValue? {
        get { names.firstIndex { PythonText.equal($0, name) }.map { values[$0] } }
        set {
            guard let newValue else { return }
            changes += 1
            if let position = names.firstIndex(where: { PythonText.equal($0, name) }) {
                values[position] = newValue
            } else {
                names.append(name)
                values.append(newValue)
            }
        }
    }

    func removeAll() {
        names = []
        values = []
    }
}

/// A macro, or the body of a `call` block, with the scope it was defined in.
final class RenderMacro: RenderObject {
    let definition: MacroDefinition
    /// Nil once the rendering has ended, which breaks the circle of a scope and the macros it holds.
    var scope: RenderScope?

    init(definition: MacroDefinition, scope: RenderScope) {
        self.definition = definition
        self.scope = scope
    }

    override var typeName: String { "Macro" }
    override var summary: String { definition.name.map { "<Macro '\($0)'>" } ?? "<Macro anonymous>" }
    override var isCallable: Bool { true }
}

/// A function the template can name: `range`, `raise_exception`, …
final class RenderFunction: RenderObject {
    typealias Body = @Sendable (JinjaInterpreter, inout ArgumentReader) throws -> RenderValue
    let name: String
    let body: Body

    init(name: String, body: @escaping Body) {
        self.name = name
        self.body = body
    }

    override var typeName: String { "function" }
    override var summary: String { "<function \(name)>" }
    override var isCallable: Bool { true }
}

/// A method taken from a value but not called yet.
final class RenderMethod: RenderObject {
    let receiver: RenderValue
    let method: PythonMethod

    init(receiver: RenderValue, method: PythonMethod) {
        self.receiver = receiver
        self.method = method
    }

    override var typeName: String { "builtin_function_or_method" }
    override var nesting: Int { receiver.nesting + 1 }
    override var summary: String { "<built-in method \(method.rawValue) of \(receiver.typeName) object>" }
    override var isCallable: Bool { true }
}

/// What `map`, `select`, `items` and the like give: can be walked through once.
///
/// Python makes such items when they are asked for. Here they are made at once, and an error on the way is kept
/// for the moment when the template gets there.
final class RenderIterator: RenderObject {
    private var remaining: ArraySlice<RenderValue>
    private let failure: (any Error)?
    override var nesting: Int { depth }
    private let depth: Int

    init(_ items: [RenderValue], failure: (any Error)? = nil, nesting: Int) {
        remaining = items[...]
        self.failure = failure
        depth = nesting
    }

    override var typeName: String { "generator" }

    func next() throws -> RenderValue? {
        if let item = remaining.popFirst() { return item }
        if let failure { throw failure }
        return nil
    }
}

/// `dict.keys()`, `.values()` or `.items()`: has a length and can be walked through again.
final class RenderDictView: RenderObject {
    enum Part: String {
        case keys, values, items
    }
    let dict: RenderDict
    let part: Part

    init(_ dict: RenderDict, _ part: Part) {
        self.dict = dict
        self.part = part
    }

    override var typeName: String { "dict_" + part.rawValue }
    override var isTruthy: Bool { !dict.keys.isEmpty }
    override var nesting: Int { dict.nesting + 1 }

    var elements: [RenderValue] {
        switch part {
        case .keys: dict.keys
        case .values: dict.values
        case .items: zip(dict.keys, dict.values).map { .pair($0, $1) }
        }
    }
}

/// `cycler(…)`: gives its values in turn.
final class RenderCycler: RenderObject {
    let values: RenderTuple
    var position = 0

    init(values: RenderTuple) { self.values = values }

    override var typeName: String { "Cycler" }
    override var nesting: Int { values.nesting + 1 }

    func next() -> RenderValue {
        defer { position = (position + 1) % values.elements.count }
        return values.elements[position]
    }
}

/// `joiner(…)`: empty at its first call, its separator ever after.
final class RenderJoiner: RenderObject {
    let separator: RenderValue
    var wasUsed = false
    override var nesting: Int { depth }
    private let depth: Int

    init(separator: RenderValue, nesting: Int) {
        self.separator = separator
        depth = nesting
    }

    override var typeName: String { "Joiner" }
    override var isCallable: Bool { true }
}

extension RenderValue {
    /// A pair of a dict's key and value. Its nesting is that of the dict's own members plus one.
    static func pair(_ key: RenderValue, _ value: RenderValue) -> RenderValue {
        .tuple(RenderTuple(elements: [key, value], nesting: max(key.nesting, value.nesting) + 1))
    }
}
