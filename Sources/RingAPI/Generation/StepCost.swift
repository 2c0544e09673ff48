// What a step takes in layers, learned from the steps that came back. Pure.

/// A line through what steps of different sizes have taken: a part that does not depend on the rows, which is reading
/// the weights, and a part for each row.
///
/// Before anything is known, and as long as all steps were of one size, the two parts are in the proportion expected.
/// Times are of all shards together: a shard of S equal ones works on a step for one S-th of it.
struct StepCost: Equatable, Sendable {
    /// Steps of about as many rows: of 1, of 2 or 3, of 4 to 7 and so on, so that the many steps of one size do not
    /// make the few of another forgotten.
    private struct SizeClass: Equatable, Sendable {
        /// Moving averages.
        var rows = 0.0
        var nanoseconds = 0.0
        /// Steps seen, up to ``StepCost/averagedSteps``.
        var count = 0.0
    }

    /// Steps that a moving average reaches over: enough to even out a busy machine, few enough to follow contexts that
    /// grow.
    private static let averagedSteps = 16.0
    /// How much the expected proportion weighs, in size classes: nothing beside two that were measured.
    private static let expectationWeight = 1e-5
    /// A row's least part of a step.
    private static let leastSlope = 1e-6

    /// The proportion before anything is known.
    private let expectedOverheadRows: Double
    private var sizes = [SizeClass](repeating: SizeClass(), count: Int.bitWidth)
    /// Nanoseconds of a step that do not depend on its rows.
    private(set) var base: Double
    /// Nanoseconds of each row.
    private(set) var perRow: Double

    /// - Parameter expectedOverheadRows: rows that are expected to take as long as the part that does not depend on
    ///   the rows.
    init(expectedOverheadRows: Int) {
        self.expectedOverheadRows = Double(max(1, expectedOverheadRows))
        (base, perRow) = (self.expectedOverheadRows, 1)
    }

    /// Whether ``nanoseconds(rows:)`` is a time; before, it is only good for comparing steps.
    var isMeasured: Bool { sizes.contains { $0.count > 0 } }

    /// Rows that take as long as the part of a step that does not depend on its rows.
    var overheadRows: Double { base / perRow }

    /// What a step of `rows` rows takes over all shards.
    func nanoseconds(rows: Int) -> Double { base + perRow * Double(rows) }

    /// Notes what a step took in layers, over all shards.
    mutating func observe(rows: Int, nanoseconds: UInt64) {
        guard rows > 0, nanoseconds > 0 else { return }
        let index = Int.bitWidth - 1 - rows.leadingZeroBitCount
        sizes[index].count = min(sizes[index].count + 1, Self.averagedSteps)
        let share = 1 / sizes[index].count
        sizes[index].rows += (Double(rows) - sizes[index].rows) * share
        sizes[index].nanoseconds += (Double(nanoseconds) - sizes[index].nanoseconds) * share
        fit()
    }

    /// The line of least relative error.
    ///
    /// The expectation enters as one more equation, `base = expectedOverheadRows × perRow`, which any scale of time
    /// satisfies and which decides only what the steps leave open.
    private mutating func fit() {
        var (weights, rows, rowSquares, times, products, classes) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        for size in sizes where size.count > 0 {
            let weight = 1 / (size.nanoseconds * size.nanoseconds)
            weights += weight
            rows += weight * size.rows
            rowSquares += weight * size.rows * size.rows
            times += weight * size.nanoseconds
            products += weight * size.rows * size.nanoseconds
            classes += 1
        }
        // The mean time makes the equation weigh the same on a fast machine as on a slow one.
        let meanTime = classes / times
        let scale = Self.expectationWeight / (meanTime * meanTime)
        let (first, cross) = (weights + scale, rows - scale * expectedOverheadRows)
        let second = rowSquares + scale * expectedOverheadRows * expectedOverheadRows
        let determinant = first * second - cross * cross
        base = (times * second - products * cross) / determinant
        perRow = (products * first - times * cross) / determinant
        // Noise may let the line start below zero, or not rise.
        if base < 0 { (base, perRow) = (0, products / rowSquares) }
        if perRow <= 0 { (base, perRow) = (meanTime, meanTime * Self.leastSlope) }
    }
}
