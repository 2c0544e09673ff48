// JinjaSyntax: the parsed template: statements, expressions, and the scopes their names live in.

/// A template ready to render.
struct JinjaProgram: Sendable {
    let body: [Statement]
    /// All scopes; statements name them by index. The template's own is the first.
    let scopes: [ScopeLayout]
    /// The names that are looked up among the caller's variables.
    let contextNames: [String]
}

/// How a scope's variables start when it is entered.
struct ScopeLayout: Sendable {
    enum Start: Sendable {
        /// Set by whoever enters: a macro's argument, a loop's item.
        case parameter
        /// Assigned here before it is read.
        case missing
        /// As the variable `slot` of the scope `hops` further out is at that moment.
        case outer(hops: Int, slot: Int)
        /// As the caller's variable.
        case context(Int)
    }
    /// For each slot, its start.
    var starts: [Start]
}

indirect enum Statement: Sendable {
    case text(String)
    case output([Expression])
    case branch([ConditionalBody], otherwise: [Statement])
    case loop(LoopStatement)
    case assign(AssignmentTarget, Expression)
    case append(AppendStatement)
    case capture(AssignmentTarget, filters: [FilterCall], body: [Statement], scope: Int)
    case macro(MacroDefinition, slot: Int)
    /// `call`: the call gets the body as its `caller`.
    case call(Expression, caller: MacroDefinition)
    case filtered([FilterCall], body: [Statement], scope: Int)
    case with([(AssignmentTarget, Expression)], body: [Statement], scope: Int)
    /// A body with variables of its own, such as `generation`.
    case scoped(body: [Statement], scope: Int)
    /// A statement that needs a second template, which there never is.
    case unavailable(tag: String, line: Int)
    case breakLoop
    case continueLoop
}

struct ConditionalBody: Sendable {
    let test: Expression
    let body: [Statement]
}

/// `set ns.x = ns.x ~ y` or `+ y`: how templates gather text. It is singled out because copying all that was gathered
/// so far for each addition would take time and memory with the square of the conversation's length.
struct AppendStatement: Sendable {
    let slot: Int
    let variable: String
    let attribute: String
    let additions: [Expression]
    /// With `+` all must be strings, with `~` anything goes.
    let isSum: Bool
}

struct LoopStatement: Sendable {
    let target: AssignmentTarget
    let items: Expression
    /// `for … if test`, in a scope of its own with its own targets.
    let filter: LoopFilter?
    let body: [Statement]
    let scope: Int
    /// The slot of `loop` in the body's scope.
    let loopSlot: Int
    let otherwise: [Statement]
    let otherwiseScope: Int
    let isRecursive: Bool
    let line: Int
}

struct LoopFilter: Sendable {
    let target: AssignmentTarget
    let test: Expression
    let scope: Int
}

struct MacroDefinition: Sendable {
    /// Nil for the body of a `call` block.
    let name: String?
    let parameters: [MacroParameter]
    let body: [Statement]
    let scope: Int
    /// The slots of `caller`, `varargs` and `kwargs`, where the body names them.
    let callerSlot: Int?
    let varargsSlot: Int?
    let kwargsSlot: Int?
    let line: Int
}

struct MacroParameter: Sendable {
    let name: String
    let slot: Int
    let initial: Expression?
}

indirect enum AssignmentTarget: Sendable {
    case variable(slot: Int)
    case namespaceAttribute(slot: Int, variable: String, attribute: String)
    case tuple([AssignmentTarget])
}

struct Expression: Sendable {
    let line: Int
    let kind: Kind

    indirect enum Kind: Sendable {
        case none
        case bool(Bool)
        case int(Int)
        case bigInteger(String)
        case double(Double)
        case string(String)
        case variable(slot: Int, name: String)
        case list([Expression])
        case tuple([Expression])
        case dict([(key: Expression, value: Expression)])
        /// A value and what follows it, left to right: `.name`, `[…]`, `(…)`, `|filter`, `is test`.
        case chain(Expression, [ChainLink])
        case sign(isMinus: Bool, Expression)
        case not(Expression)
        /// Operators of one precedence, left to right.
        case arithmetic(Expression, [(ArithmeticOperator, Expression)])
        case concatenation([Expression])
        case comparison(Expression, [(ComparisonOperator, Expression)])
        case all([Expression])
        case any([Expression])
        /// `value if test else otherwise if test …`, the last condition first: each stands outside those before it.
        case conditional(Expression, [(test: Expression, otherwise: Expression?)])
    }
}

enum ChainLink: Sendable {
    case attribute(String, method: PythonMethod?)
    case item(Expression)
    case slice(start: Expression?, stop: Expression?, step: Expression?)
    case call(CallArguments)
    case filter(FilterCall)
    case test(TestCall)
}

struct CallArguments: Sendable {
    var positional: [Expression] = []
    var named: [(name: String, value: Expression)] = []
    var positionalSpread: Expression?
    var namedSpread: Expression?
}

struct FilterCall: Sendable {
    let name: String
    /// Nil where there is no such filter: an error only once it is applied.
    let body: JinjaFilters.Body?
    let arguments: CallArguments
    let line: Int
}

struct TestCall: Sendable {
    let name: String
    let body: JinjaTests.Body?
    let arguments: CallArguments
    let isNegated: Bool
    let line: Int
}

enum ArithmeticOperator: String, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case floorDivide = "//"
    case remainder = "%"
    case power = "**"
}

enum ComparisonOperator: String, Sendable {
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case isIn = "in"
    case isNotIn = "not in"
}
