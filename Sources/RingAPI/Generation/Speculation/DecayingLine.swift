// A line through points, of which the later ones count more.

/// Least squares with an assumed slope that holds until the points tell another. Single points far off count less.
struct DecayingLine {
    /// Where the line is assumed to be 0.
    private let interceptX: Double
    /// Sum of squared distances of x from its mean that the assumed slope weighs as much as.
    private let slopeWeight: Double
    private let decay: Double
    private var weight = 0.0
    private var meanX = 0.0
    private var meanY = 0.0
    private var sumXX = 0.0
    private var sumXY = 0.0

    /// - Parameters:
    ///   - interceptX: where the line is assumed to be 0: −∞ for a line assumed to be level.
    ///   - memory: points after which an older one counts 1/e of the latest.
    init(interceptX: Double, slopeWeight: Double, memory: Double) {
        self.interceptX = interceptX
        self.slopeWeight = slopeWeight
        decay = 1 - 1 / memory
    }

    /// - Returns: `y` as it counts: what is far above the line, as after a pause of the machine, is cut.
    mutating func observe(_ x: Double, _ y: Double) -> Double {
        let y = weight >= 4 ? min(y, 2 * value(at: x)) : y
        weight = weight * decay + 1
        let (dx, dy) = (x - meanX, y - meanY)
        meanX += dx / weight
        meanY += dy / weight
        sumXX = sumXX * decay + dx * (x - meanX)
        sumXY = sumXY * decay + dx * (y - meanY)
        return y
    }

    /// Without points, the distance from where the line is assumed to be 0.
    func value(at x: Double) -> Double {
        guard weight > 0 else { return interceptX.isFinite ? x - interceptX : 0 }
        let assumed = interceptX.isFinite ? meanY / (meanX - interceptX) : 0
        let slope = max(0, (sumXY + slopeWeight * assumed) / (sumXX + slopeWeight))
        return max(meanY + slope * (x - meanX), 0)
    }
}
