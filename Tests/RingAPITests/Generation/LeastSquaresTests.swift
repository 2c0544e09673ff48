// Equations with known solutions.

import Testing

@testable import RingAPI

@Suite struct LeastSquaresTests {
    private func solution(_ equations: [(LeastSquares.Unknowns, Double)]) -> [Double] {
        var squares = LeastSquares()
        for (coefficients, value) in equations { squares.add(coefficients, value, weight: 1) }
        let x = squares.leastNonNegative
        return [x.0, x.1, x.2]
    }

    @Test func equationsThatAgreeAreSolved() {
        let x = solution([((1, 2, 3), 14), ((2, 0, 1), 5), ((0, 1, 1), 5), ((1, 1, 1), 6)])
        #expect(abs(x[0] - 1) < 1e-9 && abs(x[1] - 2) < 1e-9 && abs(x[2] - 3) < 1e-9)
    }

    @Test func theLineOfLeastErrorIsFound() {
        // By hand: the mean of x is 1, of y 7/3, and the slope 3/2.
        let x = solution([((1, 0, 0), 1), ((1, 1, 0), 2), ((1, 2, 0), 4)])
        #expect(abs(x[0] - 5.0 / 6) < 1e-9 && abs(x[1] - 1.5) < 1e-9 && x[2] == 0)
    }

    @Test func whatWouldBeNegativeIsNothingAndTheRestFits() {
        // The line through both points starts at −1; from 0 on, the best slope is (1·1 + 2·3) / (1 + 4).
        let x = solution([((1, 1, 0), 1), ((1, 2, 0), 3)])
        #expect(x[0] == 0 && abs(x[1] - 1.4) < 1e-9)
        #expect(solution([((1, 0, 0), -1)]) == [0, 0, 0])
    }

    @Test func sizesThatDifferByManyPowersOfTenDoNotMatter() {
        let x = solution([((1, 1, 1e9), 5e9), ((1, 300, 1), 3e3), ((1, 2, 3e8), 2e9), ((1, 4096, 2e12), 9e12)])
        #expect(abs(x[2] - 4.5) < 0.1)
    }
}
