// Tests of which notices reach the log, by a clock the test sets.

import Testing

@testable import RingTransport

@Suite struct RepeatedNoticeTests {
    @Test func growsSeldomUntilTheReasonChanges() {
        var notice = RepeatedNotice()
        let start = MonotonicTime(nanoseconds: 0)
        let logged = (0..<400).filter { notice.isDue("refused", at: start + .seconds($0)) }
        #expect(logged == [0, 10, 30, 70, 150, 310])
        let changed = [400, 401].map { notice.isDue("no route", at: start + .seconds($0)) }
        #expect(changed == [true, false])
        notice.reset()
        let anew = notice.isDue("no route", at: start + .seconds(402))
        #expect(anew)
    }
}
