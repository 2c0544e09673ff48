// Three unknowns, none of them negative, from many equations that do not quite agree.

/// Linear least squares, kept as sums.
struct LeastSquares {
    typealias Unknowns = (Double, Double, Double)

    /// Sums of products of the coefficients, row by row, and of coefficients and values.
    private var products = [Double](repeating: 0, count: 9)
    private var values = [Double](repeating: 0, count: 3)

    /// Adds the equation `coefficients · x = value`, with its error counted `weight` times.
    mutating func add(_ coefficients: Unknowns, _ value: Double, weight: Double) {
        let row = [coefficients.0 * weight, coefficients.1 * weight, coefficients.2 * weight]
        for i in 0..<3 {
            for j in 0..<3 { products[3 * i + j] += row[i] * row[j] }
            values[i] += row[i] * value * weight
        }
    }

    /// The solution of least error among those without a negative part.
    var leastNonNegative: Unknowns {
        var best: (x: [Double], error: Double)?
        // It is the free solution for some of the unknowns, with the others at 0.
        for free in 1..<8 {
            let unknowns = (0..<3).filter { free >> $0 & 1 == 1 }
            guard let x = solution(unknowns), x.allSatisfy({ $0.isFinite && $0 >= 0 }) else { continue }
            let error = self.error(x)
            if error < best?.error ?? .infinity { best = (x, error) }
        }
        guard let x = best?.x else { return (0, 0, 0) }
        return (x[0], x[1], x[2])
    }

    /// The sum of the equations' squared errors, but for a constant.
    private func error(_ x: [Double]) -> Double {
        (0..<3).reduce(0.0) { sum, i in
            let row = products[3 * i] * x[0] + products[3 * i + 1] * x[1] + products[3 * i + 2] * x[2]
            return sum + x[i] * (row - 2 * values[i])
        }
    }

    /// Gauss's elimination for `unknowns`, the others being 0; `nil` where the equations leave them open.
    private func solution(_ unknowns: [Int]) -> [Double]? {
        // Columns of very different sizes are made alike.
        let scale = unknowns.map { products[4 * $0] > 0 ? 1 / products[4 * $0].squareRoot() : 0 }
        let count = unknowns.count
        var rows = unknowns.indices.map { i in
            unknowns.indices.map { j in products[3 * unknowns[i] + unknowns[j]] * scale[i] * scale[j] }
                + [values[unknowns[i]] * scale[i]]
        }
        for pivot in 0..<count {
            // The sums of squares are positive definite: no rows need to be exchanged.
            guard rows[pivot][pivot] > 1e-13 else { return nil }
            for row in pivot + 1..<count {
                let factor = rows[row][pivot] / rows[pivot][pivot]
                for column in pivot...count { rows[row][column] -= factor * rows[pivot][column] }
            }
        }
        var x = [Double](repeating: 0, count: 3)
        for row in (0..<count).reversed() {
            var value = rows[row][count]
            for column in row + 1..<count { value -= rows[row][column] * x[unknowns[column]] / scale[column] }
            x[unknowns[row]] = value / rows[row][row] * scale[row]
        }
        return x
    }
}
