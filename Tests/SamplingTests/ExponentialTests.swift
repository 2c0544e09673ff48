// Our own exponential against the system's.

import Glibc
import Testing

@testable import Sampling

@Suite struct ExponentialTests {
    private func exponential(_ x: Float) -> Float { Exponential.ofNonpositive(x) }

    @Test func isRightToTwoUnitsInTheLastPlace() {
        var worst = 0.0
        var x: Float = 0
        while x > Exponential.inputMin {
            let exact = exp(Double(x))
            worst = max(worst, abs(Double(exponential(x)) - exact) / Double(Float(exact).ulp))
            x -= 0.001_37
        }
        #expect(worst < 2)
    }

    @Test func endsAreExact() {
        #expect(exponential(0) == 1)
        #expect(exponential(-0.0) == 1)
        #expect(exponential(-Float.leastNonzeroMagnitude) == 1)
        #expect(exponential(Exponential.inputMin) > 0)
        #expect(exponential(Exponential.inputMin.nextDown) == 0)
        #expect(exponential(-.infinity) == 0)
        #expect(exponential(.nan) == 0)
        #expect(exponential(-.greatestFiniteMagnitude) == 0)
    }
}
