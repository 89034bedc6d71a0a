import type { LinkState } from '../../client';
import { Lamp } from '../../components/ui/Lamp';

/** How the link is, and to which server. */
export function ConnectionLamp({ link }: { link: LinkState }) {
  switch (link.kind) {
    case 'connected':
      return <Lamp colour="green" label={`Connected${link.gateway && ` to ${link.gateway}`}`} />;
    case 'connecting':
      return <Lamp colour="amber" label="Connecting" />;
    case 'closed':
      return <Lamp colour="red" label={`Disconnected${link.failure && `: ${link.failure.text}`}`} />;
  }
}
