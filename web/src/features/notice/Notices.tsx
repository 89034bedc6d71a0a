import type { Chat } from '../../client';
import { Banner } from '../../components/ui/Banner';
import { useObservable } from '../../components/ui/useObservable';

/** What is impaired now, and texts for everybody. */
export function Notices({ chat }: { chat: Chat }) {
  const degraded = useObservable(chat.degraded);
  const notices = useObservable(chat.notices);
  return (
    <>
      {degraded !== undefined && <Banner tone="warning">{degraded}</Banner>}
      {notices.map((notice) => (
        <Banner key={notice.id} tone="info">
          {notice.text}
          <button type="button" onClick={() => chat.dismissNotice(notice.id)} aria-label="Dismiss">
            ×
          </button>
        </Banner>
      ))}
    </>
  );
}
