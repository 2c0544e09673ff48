// What becomes of the matches when text is split by a pattern.

/// How the matches of a pattern and the text between them become pieces. Shown for "-" in "a--b".
enum SplitBehavior: String, Decodable, Sendable {
    /// Dropped: a, b.
    case removed = "Removed"
    /// Each a piece: a, -, -, b.
    case isolated = "Isolated"
    /// The first of a row joins the text before it: a-, -, b.
    case mergedWithPrevious = "MergedWithPrevious"
    /// The last of a row joins the text after it: a, -, -b.
    case mergedWithNext = "MergedWithNext"
    /// A row of them is one piece: a, --, b.
    case contiguous = "Contiguous"
}

/// Puts the pieces of one subject together from its matches and the text between them, in order.
struct PieceCollector {
    private let behavior: SplitBehavior
    private let isInverted: Bool
    private let pieces: ScratchBuffer<ByteRange>
    /// How many pieces there were before this subject's first: those must not be touched.
    private let countBefore: Int
    private var previousWasMatch = false

    init(_ behavior: SplitBehavior, isInverted: Bool, into pieces: ScratchBuffer<ByteRange>) {
        self.behavior = behavior
        self.isInverted = isInverted
        self.pieces = pieces
        countBefore = pieces.count
    }

    /// Takes the next match, or the next text between matches.
    @inline(__always)
    mutating func add(_ range: ByteRange, isMatch: Bool) {
        guard !range.isEmpty else { return }
        let isMatch = isMatch != isInverted
        let joins =
            switch behavior {
            case .isolated: false
            case .removed: false
            case .mergedWithPrevious: isMatch && !previousWasMatch
            case .mergedWithNext: !isMatch && previousWasMatch
            case .contiguous: isMatch == previousWasMatch
            }
        previousWasMatch = isMatch
        if behavior == .removed && isMatch { return }
        if joins && pieces.count > countBefore {
            pieces.elements[pieces.count - 1].end = range.end
        } else {
            pieces.append(range)
        }
    }
}
