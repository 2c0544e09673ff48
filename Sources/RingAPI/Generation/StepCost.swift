// What a step takes in layers, learned from the steps that came back. Pure.

/// The tokens of a step, and what they look back at.
struct StepSize: Equatable, Sendable {
    var rows = 0
    /// Tokens before each row, summed over all rows.
    var context = 0

    /// Adds a run of `count` rows behind `position` tokens.
    mutating func add(rows count: Int, after position: Int) {
        rows += count
        context += count * position + count * (count - 1) / 2
    }
}

/// A plane through what steps of different sizes have taken: a part that does not depend on the rows, which is reading
/// the weights, a part for each row, and a part for each token that a row looks back at, which is attention.
///
/// Before anything is known, and as far as the steps that were seen leave it open, the first two parts are in the
/// proportion expected and the third is nothing. Times are of all shards together: a shard of S equal ones works on a
/// step for one S-th of it.
struct StepCost: Equatable, Sendable {
    /// Steps of about as many rows with about as much context: of 1, of 2 or 3, of 4 to 7 and so on, so that the many
    /// steps of one size do not make the few of another forgotten.
    private struct SizeClass: Equatable, Sendable {
        let rowsClass: Int
        let contextClass: Int
        /// Moving averages.
        var rows = 0.0
        var context = 0.0
        var nanoseconds = 0.0
        /// Steps seen, up to ``StepCost/averagedSteps``.
        var count = 0.0
        /// The step after which it was last one of the latest.
        var seenAt = 0
    }

    /// Steps that a moving average reaches over: enough to even out a busy machine, few enough to follow it.
    private static let averagedSteps = 16.0
    /// Size classes that are remembered: more than are met between a prompt's beginning and its end.
    private static let classesMax = 24
    /// How much the expectations weigh, in size classes: nothing beside those that were measured.
    private static let expectationWeight = 1e-5
    /// A row's least part of a step.
    private static let leastSlope = 1e-6

    /// The proportion before anything is known.
    private let expectedOverheadRows: Double
    private var sizes: [SizeClass] = []
    private var stepsSeen = 0
    /// Nanoseconds of a step that do not depend on its rows.
    private(set) var base: Double
    /// Nanoseconds of each row.
    private(set) var perRow: Double
    /// Nanoseconds of each token that a row looks back at.
    private(set) var perContext = 0.0

    /// - Parameter expectedOverheadRows: rows that are expected to take as long as the part that does not depend on
    ///   the rows.
    init(expectedOverheadRows: Int) {
        self.expectedOverheadRows = Double(max(1, expectedOverheadRows))
        (base, perRow) = (self.expectedOverheadRows, 1)
    }

    /// Whether ``nanoseconds(_:)`` is a time; before, it is only good for comparing steps.
    var isMeasured: Bool { !sizes.isEmpty }

    /// Rows that take as long as the part of a step that does not depend on its rows.
    var overheadRows: Double { base / perRow }

    /// What a step takes over all shards.
    func nanoseconds(_ size: StepSize) -> Double {
        base + perRow * Double(size.rows) + perContext * Double(size.context)
    }

    /// What a row behind `position` tokens adds to a step.
    func nanoseconds(ofRowAfter position: Int) -> Double { perRow + perContext * Double(position) }

    /// Notes what a step took in layers, over all shards; ``fit()`` draws the conclusions.
    mutating func observe(_ size: StepSize, nanoseconds: UInt64) {
        guard size.rows > 0, nanoseconds > 0 else { return }
        stepsSeen += 1
        let index = sizeClass(of: size)
        sizes[index].seenAt = stepsSeen
        sizes[index].count = min(sizes[index].count + 1, Self.averagedSteps)
        let share = 1 / sizes[index].count
        sizes[index].rows += (Double(size.rows) - sizes[index].rows) * share
        sizes[index].context += (Double(size.context) - sizes[index].context) * share
        sizes[index].nanoseconds += (Double(nanoseconds) - sizes[index].nanoseconds) * share
    }

    private mutating func sizeClass(of size: StepSize) -> Int {
        let rowsClass = Self.logarithm(size.rows)
        let contextClass = Self.logarithm(size.context / size.rows + 1)
        let index = sizes.firstIndex { $0.rowsClass == rowsClass && $0.contextClass == contextClass }
        if let index { return index }
        if sizes.count == Self.classesMax, let oldest = sizes.indices.min(by: { sizes[$0].seenAt < sizes[$1].seenAt }) {
            sizes.remove(at: oldest)
        }
        sizes.append(SizeClass(rowsClass: rowsClass, contextClass: contextClass))
        return sizes.count - 1
    }

    private static func logarithm(_ number: Int) -> Int { Int.bitWidth - 1 - number.leadingZeroBitCount }

    // MARK: The plane

    /// Lays the plane of least relative error of which no part is negative through what was noted.
    mutating func fit() {
        guard isMeasured else { return }
        var equations = LeastSquares()
        var (times, context) = (0.0, 0.0)
        for size in sizes {
            equations.add((1, size.rows, size.context), size.nanoseconds, weight: 1 / size.nanoseconds)
            times += size.nanoseconds
            context += size.context
        }
        let meanTime = times / Double(sizes.count)
        // The mean time makes the expectations weigh the same on a fast machine as on a slow one.
        let weight = Self.expectationWeight.squareRoot() / meanTime
        equations.add((1, -expectedOverheadRows, 0), 0, weight: weight)
        // What may be the rows' or their context's is the rows'.
        equations.add((0, 0, context / Double(sizes.count) + 1), 0, weight: 10 * weight)
        (base, perRow, perContext) = equations.leastNonNegative
        // Noise may leave the rows nothing.
        perRow = max(perRow, meanTime * Self.leastSlope)
    }
}
